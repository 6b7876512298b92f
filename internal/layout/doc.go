// Package layout holds the project to its layout: which room may import which, where SQL may stand, and that the README names every room.
package layout
