package avitest

import (
	"net"
	"sync"
)

// door is a listener that can be closed to the world and opened again without losing its port, and that counts.
type door struct {
	net.Listener

	mu   sync.Mutex
	shut bool
	open map[*guest]struct{}
	most int
	made int
}

// guest is a connection through a door.
type guest struct {
	net.Conn
	door *door
	once sync.Once
}

func newDoor(l net.Listener) *door {
	return &door{Listener: l, open: map[*guest]struct{}{}}
}

// Accept waits for a connection. While the door is shut, each is reset at once.
func (d *door) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := d.enter(c); g != nil {
			return g, nil
		}
		reset(c)
	}
}

func (d *door) enter(c net.Conn) *guest {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return nil
	}
	g := &guest{Conn: c, door: d}
	d.open[g] = struct{}{}
	d.made++
	d.most = max(d.most, len(d.open))
	return g
}

// Close closes the connection.
func (g *guest) Close() error {
	g.once.Do(func() {
		g.door.mu.Lock()
		delete(g.door.open, g)
		g.door.mu.Unlock()
	})
	return g.Conn.Close()
}

// setShut shuts the door, and resets all connections; or opens it.
func (d *door) setShut(shut bool) {
	d.mu.Lock()
	d.shut = shut
	var list []*guest
	if shut {
		for g := range d.open {
			list = append(list, g)
		}
	}
	d.mu.Unlock()
	for _, g := range list {
		reset(g.Conn)
		_ = g.Close()
	}
}

// reset closes a connection as the kernel of a host does where nobody listens.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}

// counts says how many connections were open at the same time at most, and how many were made.
func (d *door) counts() (most, made int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.most, d.made
}

func (d *door) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.most, d.made = len(d.open), 0
}
