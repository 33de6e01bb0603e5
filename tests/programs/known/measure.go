// File measure.go reads runtime.MemStats around each phase, without allocating.

package main

import "runtime"

// delta is how far two counters of runtime.MemStats moved.
type delta struct {
	Mallocs    uint64 `json:"mallocs"`
	TotalAlloc uint64 `json:"total_alloc"`
}

// measurement is the delta of every phase, and of all of them together.
type measurement struct {
	stats  runtime.MemStats
	total  delta
	phases []delta
}

func newMeasurement() *measurement {
	return &measurement{phases: make([]delta, len(phases))}
}

// take runs all phases and notes what each one allocated.
func (m *measurement) take(team *team, calls int) {
	start := m.read()
	for i := range phases {
		before := m.read()
		team.run(i, calls)
		m.phases[i] = m.read().minus(before)
	}
	m.total = m.read().minus(start)
}

func (m *measurement) read() delta {
	runtime.ReadMemStats(&m.stats)
	return delta{Mallocs: m.stats.Mallocs, TotalAlloc: m.stats.TotalAlloc}
}

func (d delta) minus(earlier delta) delta {
	return delta{Mallocs: d.Mallocs - earlier.Mallocs, TotalAlloc: d.TotalAlloc - earlier.TotalAlloc}
}
