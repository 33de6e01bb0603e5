//go:build libc

// File libc.go makes this a cgo program: linked by the C linker, its threads
// started by the C library.

package main

import "C"
