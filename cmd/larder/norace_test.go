//go:build !race

package main

// long is how many rows are work for long enough that a person sees its progress.
const long = 60_000
