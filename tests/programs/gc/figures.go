// File figures.go asks the runtime what it has counted.

package main

import (
	"runtime"
	"runtime/metrics"
)

// report is the line of JSON that the program ends with.
type report struct {
	GoVersion string  `json:"go_version"`
	Before    figures `json:"before"`
	After     figures `json:"after"`
	// Calls of runtime.GC in between.
	Calls int `json:"calls"`
	// Pauses in between that are not the collector's, by reason; to read the
	// figures before and after makes two more.
	Pauses map[string]int `json:"pauses"`
	Sites  []site         `json:"sites"`
}

// site is what a function has allocated.
type site struct {
	Function string `json:"function"`
	Allocs   uint64 `json:"allocs"`
	Bytes    uint64 `json:"bytes"`
}

// figures are those of runtime.MemStats, and one of runtime/metrics.
type figures struct {
	NumGC        uint32 `json:"num_gc"`
	NumForcedGC  uint32 `json:"num_forced_gc"`
	PauseTotalNs uint64 `json:"pause_total_ns"`
	NextGC       uint64 `json:"next_gc"`
	HeapAlloc    uint64 `json:"heap_alloc"`
	HeapIdle     uint64 `json:"heap_idle"`
	HeapInuse    uint64 `json:"heap_inuse"`
	HeapReleased uint64 `json:"heap_released"`
	StackInuse   uint64 `json:"stack_inuse"`
	// Metadata is the memory that the runtime has for itself.
	Metadata uint64 `json:"metadata"`
	// AssistSeconds is CPU time of mark assists; nil before Go 1.20.
	AssistSeconds *float64 `json:"assist_seconds"`
}

func read() figures {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return figures{
		NumGC:         stats.NumGC,
		NumForcedGC:   stats.NumForcedGC,
		PauseTotalNs:  stats.PauseTotalNs,
		NextGC:        stats.NextGC,
		HeapAlloc:     stats.HeapAlloc,
		HeapIdle:      stats.HeapIdle,
		HeapInuse:     stats.HeapInuse,
		HeapReleased:  stats.HeapReleased,
		StackInuse:    stats.StackInuse,
		Metadata:      stats.MSpanSys + stats.MCacheSys + stats.BuckHashSys + stats.GCSys + stats.OtherSys,
		AssistSeconds: assistSeconds(),
	}
}

// What is asked for is there beforehand: whoever allocates may have to assist.
var (
	assistSample = []metrics.Sample{{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"}}
	cyclesSample = []metrics.Sample{{Name: "/gc/cycles/automatic:gc-cycles"}}
)

// assisted is CPU time of mark assists in seconds; it is not known before Go 1.20.
func assisted() (seconds float64, known bool) {
	metrics.Read(assistSample)
	if assistSample[0].Value.Kind() != metrics.KindFloat64 {
		return 0, false
	}
	return assistSample[0].Value.Float64(), true
}

func assistSeconds() *float64 {
	seconds, known := assisted()
	if !known {
		return nil
	}
	return &seconds
}

// automaticCycles is how many cycles have ended that nobody asked for; to read it
// does not stop the world.
func automaticCycles() uint64 {
	metrics.Read(cyclesSample)
	return cyclesSample[0].Value.Uint64()
}
