// Package cache keeps users by name, and forgets none: the leak of the golden capture.
package cache

import "strconv"

// User is what a name stands for.
type User struct {
	ID      int64
	Name    string
	Friends []*User
}

// Cache has every user that was ever asked for.
type Cache struct{ users map[string]*User }

// New makes an empty cache.
func New() *Cache { return &Cache{users: make(map[string]*User)} }

// Load gives a user, a new one if there is none.
func (c *Cache) Load(id int64) *User {
	name := "user-" + strconv.FormatInt(id, 10)
	if user, ok := c.users[name]; ok {
		return user
	}
	user := &User{ID: id, Name: name, Friends: make([]*User, 0, 40)}
	c.users[name] = user
	return user
}
