// File mix.go draws the requests, the same sequence in every run.

package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"net/http"
	"net/url"
)

const (
	seed           = 1
	maxUpload      = 512 << 10
	maxExportRows  = 4000
	maxTimelineLen = 8000
)

// request is one request to the service; without a body it is a GET.
type request struct {
	path string
	body []byte
}

// send makes the request and reads the whole answer.
func (r request) send(client *http.Client, target *url.URL) error {
	u := target.String() + r.path
	if r.body == nil {
		response, err := client.Get(u)
		if err != nil {
			return err
		}
		return drain(response)
	}
	response, err := client.Post(u, "application/octet-stream", bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	return drain(response)
}

// mix draws requests: of ten, four log in, one uploads, one exports, one asks
// for a timeline and three for the status.
type mix struct {
	random *rand.Rand
	upload []byte
	logins int
}

func newMix() *mix {
	m := &mix{random: rand.New(rand.NewSource(seed)), upload: make([]byte, maxUpload)}
	m.random.Read(m.upload)
	return m
}

func (m *mix) next() request {
	switch draw := m.random.Intn(10); {
	case draw < 4:
		m.logins++
		return request{path: "/login", body: []byte(fmt.Sprintf(`{"name":"user-%d"}`, m.logins))}
	case draw < 5:
		return request{path: "/upload", body: m.upload[:1+m.random.Intn(maxUpload)]}
	case draw < 6:
		return request{path: fmt.Sprintf("/export?rows=%d", 1+m.random.Intn(maxExportRows))}
	case draw < 7:
		return request{path: fmt.Sprintf("/timeline?events=%d", 1+m.random.Intn(maxTimelineLen))}
	default:
		return request{path: "/status"}
	}
}
