// File upload.go takes uploads and answers with their checksum.

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
)

const maxUploadBytes = 8 << 20

type uploadResponse struct {
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func (s *service) handleUpload(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUploadBytes))
	if err != nil {
		http.Error(w, "upload cut short or too long", http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256(body)
	writeJSON(w, uploadResponse{Bytes: len(body), SHA256: hex.EncodeToString(sum[:])})
}
