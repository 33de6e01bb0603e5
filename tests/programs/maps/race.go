//go:build race

package main

// instrumented: the race detector wants to see each delete of a loop that empties
// a map, so that the compiler leaves it alone.
const instrumented = true
