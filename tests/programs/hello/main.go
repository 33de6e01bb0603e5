// Package main is the smallest program to attach to: it allocates one object
// every 10 ms until its standard input ends. It writes "ready" when it starts, and
// with the argument "count" a line for each object.
package main

import (
	"io"
	"os"
	"time"
)

// greeting is what it allocates: 32 bytes with a pointer.
type greeting struct {
	text   string
	number int
	at     int64
}

var last *greeting

// line is there beforehand: nothing else shall be allocated.
var line = []byte("allocated\n")

func main() {
	go func() {
		for n := 0; ; n++ {
			last = newGreeting(n)
			if len(os.Args) > 1 {
				os.Stdout.Write(line)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := os.Stdout.WriteString("ready\n"); err != nil {
		os.Exit(1)
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		os.Exit(1)
	}
}

//go:noinline
func newGreeting(n int) *greeting {
	return &greeting{text: "hello", number: n, at: time.Now().UnixNano()} // allocates here
}
