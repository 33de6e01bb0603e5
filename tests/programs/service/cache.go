// File cache.go keeps the users who are logged in.

package main

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"time"
)

// maxSessionBytes is the demo's own safety net, nothing a real service would
// have: past it the cache takes no more users, so that a forgotten demo does not
// take the machine down.
const maxSessionBytes = 3 << 29

const (
	thumbnailBytes = 4 << 10
	// userOverhead is about what a User weighs without its thumbnail.
	userOverhead = 1 << 10
)

// User is what the service knows about somebody who is logged in.
type User struct {
	Name        string
	Email       string
	Roles       []string
	Preferences map[string]string
	Thumbnail   []byte
	LastSeen    time.Time
}

// sessionCache maps session tokens to users. Nothing ever leaves it.
type sessionCache struct {
	mu    sync.RWMutex
	users map[string]*User
	bytes int
	limit int
}

func newSessionCache(limit int) *sessionCache {
	return &sessionCache{users: make(map[string]*User), limit: limit}
}

func (c *sessionCache) put(token string, user *User) {
	c.mu.Lock()
	defer c.mu.Unlock()
	weight := userOverhead + len(user.Thumbnail)
	if c.bytes+weight > c.limit {
		return
	}
	c.bytes += weight
	c.users[token] = user
}

func (c *sessionCache) len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.users)
}

// loadUser stands for the look-up in a database.
func loadUser(name string) *User {
	return &User{
		Name:  name,
		Email: name + "@example.com",
		Roles: []string{"reader", "writer"},
		Preferences: map[string]string{
			"language": "en",
			"theme":    "dark",
			"zone":     "UTC",
		},
		Thumbnail: make([]byte, thumbnailBytes),
		LastSeen:  time.Now(),
	}
}

func newToken() (string, error) {
	var token [16]byte
	if _, err := rand.Read(token[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(token[:]), nil
}
