package lbaas

// Statistics are the five counters that the API publishes for a listener or a load balancer.
type Statistics struct {
	BytesIn           int64
	BytesOut          int64
	ActiveConnections int64
	TotalConnections  int64
	RequestErrors     int64
}

// Add returns the sum of both.
func (s Statistics) Add(o Statistics) Statistics {
	return Statistics{
		BytesIn:           s.BytesIn + o.BytesIn,
		BytesOut:          s.BytesOut + o.BytesOut,
		ActiveConnections: s.ActiveConnections + o.ActiveConnections,
		TotalConnections:  s.TotalConnections + o.TotalConnections,
		RequestErrors:     s.RequestErrors + o.RequestErrors,
	}
}
