package avi

import (
	"fmt"
	"strings"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Remark says what of an object is made otherwise than it is written, for users; "" is nothing. It is pure.
func Remark(part lbaas.Part) string {
	if h, ok := part.(*lbaas.HealthMonitor); ok {
		return strings.Join(monitorRemarks(h), " ")
	}
	return ""
}

func monitorRemarks(h *lbaas.HealthMonitor) (all []string) {
	if interval, _ := translate.Timing(h); interval != h.Delay {
		all = append(all, fmt.Sprintf("Avi waits for an answer before it asks again: it asks every %d seconds, not every %d.", interval, h.Delay))
	}
	if !h.SpeaksHTTP() {
		return all
	}
	if classes, exact := translate.Classes(h.ExpectedCodes); classes != nil && !exact {
		codes := h.ExpectedCodes
		if codes == "" {
			codes = lbaas.DefaultCodes
		}
		all = append(all, fmt.Sprintf("Avi checks classes of status codes: %s is checked as %s.", codes, strings.Join(classes, ", ")))
	}
	return all
}
