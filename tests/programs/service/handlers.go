// File handlers.go has the routes and what the handlers share.

package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"time"
)

// service is the state behind the handlers.
type service struct {
	started   time.Time
	sessions  *sessionCache
	timelines *timelineCache
}

func newService() *service {
	return &service{
		started:   time.Now(),
		sessions:  newSessionCache(maxSessionBytes),
		timelines: newTimelineCache(),
	}
}

func (s *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", only(http.MethodPost, s.handleLogin))
	mux.HandleFunc("/upload", only(http.MethodPost, s.handleUpload))
	mux.HandleFunc("/export", only(http.MethodGet, s.handleExport))
	mux.HandleFunc("/timeline", only(http.MethodGet, s.handleTimeline))
	mux.HandleFunc("/status", only(http.MethodGet, s.handleStatus))
	return mux
}

// only refuses requests of any other method.
func only(method string, handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			http.Error(w, "use "+method, http.StatusMethodNotAllowed)
			return
		}
		handle(w, r)
	}
}

// loginRequest is the body of POST /login.
type loginRequest struct {
	Name string `json:"name"`
}

type loginResponse struct {
	Token string `json:"token"`
}

func (s *service) handleLogin(w http.ResponseWriter, r *http.Request) {
	var request loginRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&request); err != nil || request.Name == "" {
		http.Error(w, `want a body like {"name":"…"}`, http.StatusBadRequest)
		return
	}
	token, err := newToken()
	if err != nil {
		http.Error(w, "no session token", http.StatusInternalServerError)
		return
	}
	s.sessions.put(token, loadUser(request.Name))
	writeJSON(w, loginResponse{Token: token})
}

type statusResponse struct {
	UptimeSeconds float64 `json:"uptime_seconds"`
	Sessions      int     `json:"sessions"`
	Timelines     int     `json:"timelines"`
}

func (s *service) handleStatus(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, statusResponse{
		UptimeSeconds: time.Since(s.started).Seconds(),
		Sessions:      s.sessions.len(),
		Timelines:     s.timelines.len(),
	})
}

// count reads a number from the query of a request.
func count(r *http.Request, name string, limit int) (int, error) {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	if err != nil || n < 1 || n > limit {
		return 0, fmt.Errorf("want ?%s=1..%d", name, limit)
	}
	return n, nil
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Printf("write a response: %v", err)
	}
}
