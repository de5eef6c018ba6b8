package avi

import (
	"fmt"
	"strings"

	"plimsoll/internal/provider/avi/controller"
	"plimsoll/internal/provider/avi/translate"
	"plimsoll/lbaas"
)

// stamp orders the writers of a load balancer: first the epoch of the lease, then the generation of the tree.
type stamp struct {
	epoch, generation int64
}

func stampOf(lb *lbaas.LoadBalancer) stamp { return stamp{lb.Epoch, lb.Progress.Generation} }

// before tells whether another is newer.
func (s stamp) before(o stamp) bool {
	return s.epoch < o.epoch || s.epoch == o.epoch && s.generation < o.generation
}

// String is the stamp as marks have it.
func (s stamp) String() string { return fmt.Sprintf("%d.%d", s.epoch, s.generation) }

// mark tells of an object whose it is and which generation wrote it last, so that a late writer finds out.
type mark struct {
	lb string
	stamp
}

// markWord begins every mark.
const markWord = "plimsoll"

// String is what is written into the object.
func (m mark) String() string { return markWord + " " + m.lb + " " + m.stamp.String() }

// creator is what created_by says of the objects of a load balancer: lists can ask for it.
func creator(lbID string) string { return markWord + "-" + lbID }

// parseMark reads a mark. What is no mark of ours is none.
func parseMark(text string) (m mark, ok bool) {
	fields := strings.Split(text, " ")
	if len(fields) != 3 || fields[0] != markWord || fields[1] == "" {
		return mark{}, false
	}
	m.lb = fields[1]
	_, err := fmt.Sscanf(fields[2], "%d.%d", &m.epoch, &m.generation)
	return m, err == nil && m.epoch >= 0 && m.generation >= 0 && m.stamp.String() == fields[2]
}

// markField is the field of a kind's objects that has the mark, and whether it has a text of the user's before it.
func markField(kind string) (field string, shared bool) {
	switch kind {
	case translate.VsVip:
		return "vsvip_cloud_config_cksum", false
	case translate.Certificate, translate.PKIProfile:
		return "created_by", false
	}
	return description, true
}

// description is the field that has the user's text, and on its last line the mark.
const description = "description"

// markOf reads the mark of an object.
func markOf(kind string, o controller.Object) (mark, bool) {
	field, shared := markField(kind)
	text, _ := o[field].(string)
	if shared {
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	return parseMark(text)
}

// put writes the mark into an object, whose description is the user's text, or has been marked before.
func (m mark) put(kind string, o controller.Object) {
	field, shared := markField(kind)
	if !shared {
		o[field] = m.String()
		return
	}
	text, _ := o[field].(string)
	if text = unmarked(text); text != "" {
		text += "\n"
	}
	o[field] = text + m.String()
}

// unmarked is a description without its mark.
func unmarked(text string) string {
	i := strings.LastIndexByte(text, '\n')
	if _, ok := parseMark(text[i+1:]); !ok {
		return text
	}
	return text[:max(i, 0)]
}
