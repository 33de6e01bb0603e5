// File export.go writes orders as CSV.

package main

import (
	"encoding/csv"
	"log"
	"net/http"
	"strconv"
	"time"
)

const maxExportRows = 100_000

// order is one row of an export.
type order struct {
	ID       int
	Customer string
	Cents    int64
	Placed   time.Time
}

func (s *service) handleExport(w http.ResponseWriter, r *http.Request) {
	rows, err := count(r, "rows", maxExportRows)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/csv")
	if err := writeOrders(csv.NewWriter(w), collectOrders(rows)); err != nil {
		log.Printf("write an export: %v", err)
	}
}

// collectOrders stands for a query whose number of rows is known beforehand.
func collectOrders(rows int) []order {
	var orders []order
	first := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	for i := 0; i < rows; i++ {
		orders = append(orders, order{
			ID:       i,
			Customer: "customer-" + strconv.Itoa(i%997),
			Cents:    int64(i) * 17 % 100_000,
			Placed:   first.Add(time.Duration(i) * time.Minute),
		})
	}
	return orders
}

func writeOrders(w *csv.Writer, orders []order) error {
	record := make([]string, 4)
	for _, o := range orders {
		record[0] = strconv.Itoa(o.ID)
		record[1] = o.Customer
		record[2] = strconv.FormatInt(o.Cents, 10)
		record[3] = o.Placed.Format(time.RFC3339)
		if err := w.Write(record); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
