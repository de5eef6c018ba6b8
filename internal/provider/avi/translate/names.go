package translate

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"plimsoll/lbaas"
)

// maxName bounds names, in characters.
const maxName = 255

// bounded is a name that is cut where it is too long.
func bounded(name string) string { return cut(plain(name), maxName) }

// alias is a name that no other object has: with an id, which is never cut.
func alias(name, id string) string {
	id = "-" + id
	return cut(plain(name), maxName-utf8.RuneCountInString(id)) + id
}

// plain is a text as Avi takes it in names: in one line, and without "$", which its manual forbids there.
func plain(text string) string { return strings.Map(printable, strings.ReplaceAll(text, "$", "_")) }

func printable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// cut is the first n characters of a text.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:max(n, 0)])
}

// loadBalancerName is what stands for the load balancer in names: users need not name it.
func loadBalancerName(lb *lbaas.LoadBalancer) string {
	if lb.Name != "" {
		return lb.Name
	}
	return lb.VIPAddress.Unmap().String()
}

// listenerName is the name of a listener's virtual service, "<load balancer>:<listener>".
func (t *translation) listenerName(l *lbaas.Listener) string {
	name := l.Name
	if name == "" {
		name = strconv.Itoa(l.ProtocolPort)
	}
	return loadBalancerName(t.lb) + ":" + name
}
