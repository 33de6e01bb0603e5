// File stack.go records stacks: return addresses, and what the runtime names them.

package main

import "runtime"

// site is one return address, with the calls that are there: several where calls
// were inlined.
type site struct {
	PC     uintptr `json:"pc"`
	Frames []frame `json:"frames"`
}

type frame struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

var (
	sites []site
	known = map[uintptr]bool{}
)

// record adds the return addresses of its stack.
//
//go:noinline
func record() {
	var pcs [256]uintptr
	n := runtime.Callers(0, pcs[:])
	frames := runtime.CallersFrames(pcs[:n])
	var calls []frame
	var returnAddress, entry uintptr
	for {
		next, more := frames.Next()
		if len(calls) > 0 && next.Entry != entry {
			// The runtime leaves out the wrappers that the compiler makes: these
			// calls were inlined into one.
			calls = nil
		}
		if len(calls) == 0 {
			// The runtime subtracts 1, to name the call and not what follows it.
			returnAddress, entry = next.PC+1, next.Entry
		}
		calls = append(calls, frame{next.Function, next.File, next.Line})
		// Inlined calls have no Func: what has one is the function that holds
		// the code, and thus the last call at this address.
		if next.Func != nil {
			add(returnAddress, calls)
			calls = nil
		}
		if !more {
			return
		}
	}
}

func add(pc uintptr, calls []frame) {
	if !known[pc] {
		known[pc] = true
		sites = append(sites, site{pc, calls})
	}
}
