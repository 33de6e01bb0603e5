// File steps.go holds the functions that fault. Each does so on one line, which
// ends in the mark.

package main

import (
	"os"
	"syscall"
)

var pageSize = os.Getpagesize()

//go:noinline
func touchPages(memory []byte) {
	for at := 0; at < len(memory); at += pageSize {
		memory[at] = 1 // faults here
	}
}

// touchTable writes to a variable of the program.
//
//go:noinline
func touchTable() {
	for at := 0; at < len(table); at += pageSize {
		table[at] = 1 // faults here
	}
}

// readFile reads memory that is a file.
//
//go:noinline
func readFile(file []byte) (sum int) {
	for at := 0; at < len(file); at += pageSize {
		sum += int(file[at]) // faults here
	}
	return sum
}

// readZeros reads memory that nobody has written to.
//
//go:noinline
func readZeros(memory []byte) (sum int) {
	for at := 0; at < len(memory); at += pageSize {
		sum += int(memory[at]) // faults here
	}
	return sum
}

// makeBytes leaves the first writes to the runtime, which has to clear memory
// that was in use before.
//
//go:noinline
func makeBytes() {
	for i := range kept.bytes {
		kept.bytes[i] = make([]byte, sliceSize) // faults here
	}
}

//go:noinline
func makePointers() {
	for i := range kept.pointers {
		kept.pointers[i] = make([]*byte, sliceSize/8) // faults here
	}
}

// readInto leaves the first writes to the kernel.
//
//go:noinline
func readInto(fd int, buffer []byte) error {
	for len(buffer) > 0 {
		n, err := syscall.Read(fd, buffer) // faults here
		if err != nil && err != syscall.EINTR {
			return err
		}
		if n > 0 {
			buffer = buffer[n:]
		}
	}
	return nil
}

// deepen needs a stack of about a kilobyte for each level; it has work left after
// its call, so that every level keeps its frame.
//
//go:noinline
func deepen(below int) byte {
	var room [1024]byte
	room[below%len(room)] = byte(below)
	if below > 0 {
		return deepen(below-1) + room[below%len(room)] // faults here
	}
	return room[0]
}
