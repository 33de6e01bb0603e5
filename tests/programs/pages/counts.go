// File counts.go asks the kernel how many pages it had to give, without needing
// one for that.

package main

import (
	"runtime"
	"syscall"
)

// rusageThread is RUSAGE_THREAD of linux/resource.h.
const rusageThread = 1

// faults counts page faults.
type faults struct {
	Minor int64 `json:"minor"`
	Major int64 `json:"major"`
}

// report is the line of JSON that the program ends with.
type report struct {
	GoVersion string `json:"go_version"`
	// The whole process, from before the first step until after the last.
	faults
	Functions []functionReport `json:"functions"`
}

// functionReport is what one step did: its thread's page faults meanwhile.
type functionReport struct {
	Function string `json:"function"`
	Pages    int    `json:"pages"`
	faults
}

// counts holds everything that is written while pages are counted.
type counts struct {
	total faults
	steps []faults
	ended chan struct{}
}

func newCounts(steps []step) *counts {
	c := &counts{steps: make([]faults, len(steps)), ended: make(chan struct{})}
	// What the runtime makes on first use, threads above all, is there then.
	for i := 0; i < 2; i++ {
		c.take(make([]step, len(steps)))
	}
	return c
}

// take runs all steps.
func (c *counts) take(steps []step) {
	before := count(syscall.RUSAGE_SELF)
	for i := range steps {
		go c.one(i, steps[i].run)
		<-c.ended
	}
	c.total = count(syscall.RUSAGE_SELF).minus(before)
}

// one runs a step in a goroutine of its own, which has a small stack, on a thread
// that does nothing else meanwhile.
func (c *counts) one(i int, run func()) {
	runtime.LockOSThread()
	before := count(rusageThread)
	if run != nil {
		run()
	}
	c.steps[i] = count(rusageThread).minus(before)
	runtime.UnlockOSThread()
	c.ended <- struct{}{}
}

func count(who int) faults {
	var usage syscall.Rusage
	if err := syscall.Getrusage(who, &usage); err != nil {
		panic(err)
	}
	return faults{usage.Minflt, usage.Majflt}
}

func (f faults) minus(earlier faults) faults {
	return faults{f.Minor - earlier.Minor, f.Major - earlier.Major}
}

func (c *counts) report(steps []step) report {
	r := report{GoVersion: runtime.Version(), faults: c.total, Functions: []functionReport{}}
	for i, s := range steps {
		r.Functions = append(r.Functions, functionReport{"main." + s.function, s.pages, c.steps[i]})
	}
	return r
}
