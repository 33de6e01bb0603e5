// File timeline.go builds the timelines of accounts and keeps the latest ones.

package main

import (
	"net/http"
	"sync"
	"time"
)

const (
	maxTimelineEvents = 100_000
	keptTimelines     = 16
)

// event is one step of a timeline, linked to its neighbours.
type event struct {
	next, previous *event
	kind           string
	at             time.Time
	cents          int64
}

// timeline is a chain of events, oldest first.
type timeline struct {
	first, last *event
	events      int
}

func (t *timeline) add(e *event) {
	if t.last == nil {
		t.first = e
	} else {
		t.last.next, e.previous = e, t.last
	}
	t.last = e
	t.events++
}

// balance walks the whole chain.
func (t *timeline) balance() int64 {
	var sum int64
	for e := t.first; e != nil; e = e.next {
		sum += e.cents
	}
	return sum
}

// timelineCache keeps the latest timelines, the oldest making room.
type timelineCache struct {
	mu     sync.Mutex
	kept   [keptTimelines]*timeline
	stored int
}

func newTimelineCache() *timelineCache { return &timelineCache{} }

func (c *timelineCache) put(t *timeline) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[c.stored%keptTimelines] = t
	c.stored++
}

func (c *timelineCache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stored < keptTimelines {
		return c.stored
	}
	return keptTimelines
}

type timelineResponse struct {
	Events  int       `json:"events"`
	From    time.Time `json:"from"`
	Balance int64     `json:"balance_cents"`
}

func (s *service) handleTimeline(w http.ResponseWriter, r *http.Request) {
	events, err := count(r, "events", maxTimelineEvents)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t := buildTimeline(events)
	s.timelines.put(t)
	writeJSON(w, timelineResponse{Events: t.events, From: t.first.at, Balance: t.balance()})
}

// buildTimeline stands for replaying an account's history.
func buildTimeline(events int) *timeline {
	t := &timeline{}
	at := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	for i := 0; i < events; i++ {
		kind, cents := "deposit", int64(i%500)
		if i%3 == 0 {
			kind, cents = "withdrawal", -int64(i%200)
		}
		t.add(&event{kind: kind, cents: cents, at: at.Add(time.Duration(i) * time.Second)})
	}
	return t
}
