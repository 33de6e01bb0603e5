// File team.go runs a phase in one goroutine or in several, without allocating.
//
// The goroutines wait in read(2) on pipes rather than on channels: a goroutine
// that blocks on a channel needs a sudog, which the runtime takes from the heap
// when the cache of its P is empty, and such an object would be counted in the
// phase although it belongs to no site.

package main

import (
	"fmt"
	"syscall"
)

// team is the goroutines of the measurement, each with a worker of its own.
// The phase to run stands in phase and calls while they run it.
type team struct {
	workers []*worker
	phase   int
	calls   int
	done    pipe
	signal  [1]byte
}

// pipe carries one byte per signal; both ends block.
type pipe struct{ read, write int }

// newTeam makes the workers. A single one has no goroutine of its own and runs
// on the caller's.
func newTeam(goroutines, calls, depth int) (*team, error) {
	t := &team{}
	var err error
	if t.done, err = newPipe(); err != nil {
		return nil, err
	}
	for i := 0; i < goroutines; i++ {
		w := newWorker(calls, depth)
		if w.start, err = newPipe(); err != nil {
			return nil, err
		}
		t.workers = append(t.workers, w)
		if goroutines > 1 {
			go t.work(w)
		}
	}
	return t, nil
}

func newPipe() (pipe, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return pipe{}, fmt.Errorf("make a pipe: %w", err)
	}
	return pipe{read: ends[0], write: ends[1]}, nil
}

// run makes every worker call the phase and returns when all have finished.
func (t *team) run(phase, calls int) {
	t.phase, t.calls = phase, phases[phase].callsOf(calls)
	if len(t.workers) == 1 {
		t.workers[0].repeat(t.phase, t.calls)
		return
	}
	for _, w := range t.workers {
		mustWrite(w.start.write, t.signal[:])
	}
	for range t.workers {
		mustRead(t.done.read, t.signal[:])
	}
}

// work is the life of one goroutine of the team.
func (t *team) work(w *worker) {
	for {
		mustRead(w.start.read, w.signal[:])
		w.repeat(t.phase, t.calls)
		mustWrite(t.done.write, w.signal[:])
	}
}

// requested is what the workers noted for a phase beyond its fixed size per call.
func (t *team) requested(phase int) uint64 {
	var sum uint64
	for _, w := range t.workers {
		sum += w.requested[phase]
	}
	return sum
}

// forgetRequested drops what the rehearsal noted.
func (t *team) forgetRequested() {
	for _, w := range t.workers {
		for i := range w.requested {
			w.requested[i] = 0
		}
	}
}
