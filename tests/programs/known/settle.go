// File settle.go makes the runtime allocate beforehand what it would otherwise
// take from the heap for itself during the measurement: such objects are
// counted in MemStats and belong to no site.

package main

import (
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spareThreads covers the threads that the runtime itself wants, for
	// sysmon and for the garbage collector.
	spareThreads = 8
	// cachedSudogs is half of what the sudog cache of a P holds: the rest is
	// room for those that arrive from other Ps.
	cachedSudogs = 64
	// cachedTimers is room in the timer heap of a P; the scavenger and the
	// program's own sleeps need one each.
	cachedTimers = 4
	// unpreempted is a time in which the runtime does not preempt a goroutine:
	// half of forcePreemptNS in runtime/proc.go, because a time slice may have
	// begun before.
	unpreempted = 5 * time.Millisecond
	// fillAttempts bounds the wait for a moment at which all Ps run at once.
	fillAttempts = 50
	// ballastPerCall makes for a few garbage collections, however many calls
	// there are: one call of every phase allocates 50 to 60 KiB.
	ballastPerCall = 12 << 10
	maxBallast     = 1 << 30
	// settleTime is ample for the short timers to fire.
	settleTime = 10 * time.Millisecond
)

// newBallast returns memory that is never touched and only raises the heap size
// at which the garbage collector starts. All goroutines wait for each other to
// start a collection, and each wait may move a sudog from one P to another; after
// dozens of collections a P can be without any.
func newBallast(calls int) []byte {
	size := maxBallast
	if calls < maxBallast/ballastPerCall {
		size = calls * ballastPerCall
	}
	return make([]byte, size)
}

// startThreads makes the runtime own n idle threads, because a new one costs it
// heap objects. It locks n goroutines to a thread each, all at the same time.
func startThreads(n int) {
	var locked, released sync.WaitGroup
	release := make(chan struct{})
	locked.Add(n)
	released.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			runtime.LockOSThread()
			locked.Done()
			<-release
			runtime.UnlockOSThread()
			released.Done()
		}()
	}
	locked.Wait()
	close(release)
	released.Wait()
}

// fillProcessorCaches gives every P some sudogs, which the garbage collector
// takes when its workers wait for each other, and a timer heap with room, which
// the scavenger uses.
func fillProcessorCaches() {
	for attempt := 0; attempt < fillAttempts; attempt++ {
		took := fillEachProcessor()
		time.Sleep(settleTime)
		if took < unpreempted {
			return
		}
	}
}

// fillEachProcessor runs one goroutine per P. Each in turn fills the caches
// while the others spin, so that all it does stays on its own P, unless the
// runtime preempts a goroutine. It returns how long that took.
func fillEachProcessor() time.Duration {
	processors := int32(runtime.GOMAXPROCS(0))
	var running, turn atomic.Int32
	var finished sync.WaitGroup
	finished.Add(int(processors))
	start := time.Now()
	for i := int32(0); i < processors; i++ {
		go func(own int32) {
			running.Add(1)
			spinUntil(&running, processors)
			spinUntil(&turn, own)
			takeSudogs()
			takeTimers()
			turn.Add(1)
			spinUntil(&turn, processors)
			finished.Done()
		}(i)
	}
	finished.Wait()
	return time.Since(start)
}

func spinUntil(n *atomic.Int32, target int32) {
	for n.Load() != target {
	}
}

// takeSudogs waits in a select until a goroutine on the same P wakes it. The
// select takes one sudog per case, and leaves them with its P.
func takeSudogs() {
	wake, never := make(chan struct{}), make(chan struct{})
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(wake)}}
	for i := 0; i < cachedSudogs; i++ {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(never)})
	}
	go func() { wake <- struct{}{} }()
	reflect.Select(cases)
}

// takeTimers grows the timer heap of its P by starting short timers.
func takeTimers() {
	for i := 0; i < cachedTimers; i++ {
		time.AfterFunc(settleTime/2, func() {})
	}
}
