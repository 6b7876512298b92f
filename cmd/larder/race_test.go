//go:build race

package main

// long is how many rows are work for long enough that a person sees its progress: with the race detector, which is ten times as slow.
const long = 20_000
