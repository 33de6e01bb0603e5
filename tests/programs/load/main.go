// Package main puts the demo service under load: a steady rate of mixed
// requests, the same sequence in every run. It talks to loopback addresses
// only, prints one summary line at the end, and fails if more than one request
// in a hundred did.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Bounds of the flags: the load generator cannot be made a weapon.
const (
	maxDuration    = 10 * time.Minute
	maxConnections = 64
	maxRate        = 5000
)

// config is what the flags mean.
type config struct {
	target      *url.URL
	duration    time.Duration
	connections int
	rate        int
}

func main() {
	c, err := parse()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := run(ctx, c)
	fmt.Println(s)
	if s.requests == 0 || s.failed*100 > s.requests {
		os.Exit(1)
	}
}

func parse() (config, error) {
	target := flag.String("target", "", "URL of the service, on a loopback address")
	duration := flag.Duration("duration", 10*time.Second, "how long to send requests")
	connections := flag.Int("connections", 4, "connections, and so requests at a time")
	rate := flag.Int("rate", 300, "requests per second, over all connections")
	flag.Parse()
	c := config{duration: *duration, connections: *connections, rate: *rate}
	switch {
	case flag.NArg() > 0:
		return c, errors.New("takes no arguments")
	case c.duration <= 0 || c.duration > maxDuration:
		return c, fmt.Errorf("want -duration above 0 and up to %v", maxDuration)
	case c.connections < 1 || c.connections > maxConnections:
		return c, fmt.Errorf("want -connections 1..%d", maxConnections)
	case c.rate < 1 || c.rate > maxRate:
		return c, fmt.Errorf("want -rate 1..%d", maxRate)
	}
	var err error
	c.target, err = parseTarget(*target)
	return c, err
}

// parseTarget refuses a host that is not this machine. A name is looked up once,
// here, and its address takes its place, so that it cannot change later.
func parseTarget(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("-target: %w", err)
	}
	if u.Scheme != "http" || u.Port() == "" {
		return nil, fmt.Errorf("-target %q: want http://127.0.0.1:PORT", target)
	}
	address, err := net.ResolveTCPAddr("tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("-target %q: %w", target, err)
	}
	if !address.IP.IsLoopback() {
		return nil, fmt.Errorf("-target %q: not a loopback address; use 127.0.0.1", target)
	}
	return &url.URL{Scheme: "http", Host: address.String()}, nil
}
