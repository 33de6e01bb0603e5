// File run.go sends the requests at their times and sums up the answers.

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const requestTimeout = 10 * time.Second

// summary is what became of the requests.
type summary struct {
	requests, failed int
	elapsed          time.Duration
	latency, slowest time.Duration
}

func (s summary) String() string {
	mean := time.Duration(0)
	if s.requests > 0 {
		mean = s.latency / time.Duration(s.requests)
	}
	return fmt.Sprintf("%d requests in %.1f s, %.1f per second, %d failed, latency mean %v, slowest %v",
		s.requests, s.elapsed.Seconds(), float64(s.requests)/s.elapsed.Seconds(), s.failed,
		mean.Round(10*time.Microsecond), s.slowest.Round(10*time.Microsecond))
}

func (s *summary) add(latency time.Duration, err error) {
	s.requests++
	s.latency += latency
	if latency > s.slowest {
		s.slowest = latency
	}
	if err != nil {
		s.failed++
	}
}

// run sends requests until the duration is over or the context ends. A request
// that no connection is free for waits, and those after it with it: the rate is
// an upper bound.
func run(ctx context.Context, c config) summary {
	ctx, cancel := context.WithTimeout(ctx, c.duration)
	defer cancel()
	client := newClient(c.connections)
	due := make(chan request)
	answers := make(chan answer)
	var senders sync.WaitGroup
	for i := 0; i < c.connections; i++ {
		senders.Add(1)
		go func() {
			defer senders.Done()
			for r := range due {
				start := time.Now()
				err := r.send(client, c.target)
				answers <- answer{latency: time.Since(start), err: err}
			}
		}()
	}
	start := time.Now()
	go func() {
		pace(ctx, c.rate, due)
		senders.Wait()
		close(answers)
	}()
	var s summary
	for a := range answers {
		s.add(a.latency, a.err)
	}
	s.elapsed = time.Since(start)
	return s
}

type answer struct {
	latency time.Duration
	err     error
}

// pace hands out requests at the given rate, and closes the channel at the end.
func pace(ctx context.Context, rate int, due chan<- request) {
	defer close(due)
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	for mix := newMix(); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		select {
		case <-ctx.Done():
			return
		case due <- mix.next():
		}
	}
}

func newClient(connections int) *http.Client {
	return &http.Client{
		Timeout: requestTimeout,
		// Without Proxy, so that the environment cannot send the load elsewhere.
		Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// drain reads an answer to its end, so that its connection can be used again.
func drain(response *http.Response) error {
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	return nil
}
