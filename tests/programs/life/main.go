// Package main allocates for a moment and ends by saying what the runtime has
// counted in its whole life: a tracer that started it must have seen as much.
//
// Usage: life [-exit CODE] [-wait]. With -wait it writes "ready" and ends when
// a signal or the end of its standard input comes. It copies its standard input
// to its standard output before it ends.
package main

import (
	"flag"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
)

type node struct {
	next  *node
	value int
}

var (
	list   *node
	stats  runtime.MemStats
	answer [128]byte
)

//go:noinline
func push(value int) {
	list = &node{list, value}
}

func main() {
	code := flag.Int("exit", 0, "exit code")
	wait := flag.Bool("wait", false, "wait for a signal and name it")
	flag.Parse()
	for value := 0; value < 5000; value++ {
		push(value)
	}
	if *wait {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
		os.Stdout.WriteString("ready\n")
		os.Stdout.WriteString((<-signals).String() + "\n")
	} else if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
		os.Exit(1)
	}
	runtime.ReadMemStats(&stats)
	// Nothing below allocates.
	line := append(answer[:0], "mallocs "...)
	line = strconv.AppendUint(line, stats.Mallocs, 10)
	line = append(line, " total_alloc "...)
	line = strconv.AppendUint(line, stats.TotalAlloc, 10)
	line = append(line, '\n')
	syscall.Write(1, line)
	syscall.Exit(*code)
}
