// File wire.go waits and signals through raw system calls on buffers that exist
// beforehand, which allocates nothing and leaves the network poller asleep.

package main

import (
	"fmt"
	"os"
	"syscall"
)

// The lines that frame the measurement are bytes from the start: where the race
// detector is on, a conversion allocates.
var (
	ready = []byte("ready\n")
	done  = []byte("done\n")
)

var lineByte [1]byte

// say writes one line to standard output.
func say(line []byte) error {
	if err := writeAll(1, line); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// awaitLine returns after one line on standard input, or at its end.
func awaitLine() error {
	for {
		n, err := readSome(0, lineByte[:])
		if err != nil {
			return fmt.Errorf("read standard input: %w", err)
		}
		if n == 0 || lineByte[0] == '\n' {
			return nil
		}
	}
}

func readSome(fd int, buffer []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, buffer)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

func writeAll(fd int, buffer []byte) error {
	for len(buffer) > 0 {
		n, err := syscall.Write(fd, buffer)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		buffer = buffer[n:]
	}
	return nil
}

// mustRead and mustWrite serve the pipes between goroutines, which only fail
// when the program itself is wrong.
func mustRead(fd int, buffer []byte) {
	if n, err := readSome(fd, buffer); err != nil || n != len(buffer) {
		fmt.Fprintln(os.Stderr, "known: read from a pipe between goroutines:", n, err)
		os.Exit(1)
	}
}

func mustWrite(fd int, buffer []byte) {
	if err := writeAll(fd, buffer); err != nil {
		fmt.Fprintln(os.Stderr, "known: write to a pipe between goroutines:", err)
		os.Exit(1)
	}
}
