package avi

import (
	"fmt"
	"strings"

	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// Remark says what of an object is made otherwise than it is written, for users; "" is nothing. It is pure.
func Remark(part lbaas.Part) string {
	switch p := part.(type) {
	case *lbaas.HealthMonitor:
		return strings.Join(monitorRemarks(p), " ")
	case *lbaas.Member:
		return memberRemark(p)
	}
	return ""
}

// memberRemark tells of weights. Of the default, which most members have, there is nothing to tell: it is that of the others.
func memberRemark(m *lbaas.Member) string {
	switch m.Weight {
	case lbaas.DefaultWeight:
		return ""
	case 0:
		return "Avi ends the connections of a member of weight 0 after the pool's graceful_disable_timeout: a minute, unless it was changed there."
	}
	low, high := m.Weight, m.Weight
	for low > 1 && translate.Ratio(low-1) == translate.Ratio(m.Weight) {
		low--
	}
	for high < lbaas.MaxWeight && translate.Ratio(high+1) == translate.Ratio(m.Weight) {
		high++
	}
	return fmt.Sprintf("Avi has 20 steps for weights: %d is step %d, as is each from %d to %d.", m.Weight, translate.Ratio(m.Weight), low, high)
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
