// Package showcase records what larder looks like on a terminal, for docs/terminal.md and the pictures beside it: tests that make terminal runs, and
// that fail where a line is wider than the terminal.
package showcase
