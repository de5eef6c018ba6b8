package statedir

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// User is a user of the system.
type User struct {
	Name     string
	UID, GID int
}

// Unprivileged is the user as whom a server that was started as root goes on: plimsoll where that exists, else nobody.
func Unprivileged() (User, error) {
	for _, name := range []string{"plimsoll", "nobody"} {
		found, err := user.Lookup(name)
		if errors.As(err, new(user.UnknownUserError)) {
			continue
		}
		if err != nil {
			return User{}, err
		}
		return parseUser(found)
	}
	return User{}, errors.New("the system has neither a user plimsoll nor a user nobody")
}

// Current is the user that the process runs as.
func Current() User {
	return User{Name: userName(os.Geteuid()), UID: os.Geteuid(), GID: os.Getegid()}
}

func parseUser(u *user.User) (User, error) {
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return User{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return User{}, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return User{Name: u.Username, UID: uid, GID: gid}, nil
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}

// Become drops root's rights for those of u, in every thread and for good. It does nothing when u is who the process
// runs as.
func (u User) Become() error {
	if os.Geteuid() == u.UID {
		return nil
	}
	if err := syscall.Setgroups([]int{u.GID}); err != nil {
		return fmt.Errorf("become user %s: set groups: %w", u.Name, err)
	}
	if err := syscall.Setresgid(u.GID, u.GID, u.GID); err != nil {
		return fmt.Errorf("become user %s: set group: %w", u.Name, err)
	}
	if err := syscall.Setresuid(u.UID, u.UID, u.UID); err != nil {
		return fmt.Errorf("become user %s: set user: %w", u.Name, err)
	}
	return nil
}

// Reaches gives an error when u could not come to path because a directory above it is closed. It judges by the
// permission bits, so that root can ask for others.
func (u User) Reaches(path string) error {
	if u.UID == 0 {
		return nil
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	for _, parent := range parents(abs) {
		var st syscall.Stat_t
		if err := syscall.Stat(parent, &st); err != nil {
			return fmt.Errorf("%s: %w", parent, err)
		}
		if !u.mayPass(&st) {
			return fmt.Errorf("user %s, as whom the server runs, cannot reach %s: %s is closed to others; open it (chmod o+x) or choose another place",
				u.Name, abs, parent)
		}
	}
	return nil
}

// parents are the directories above a path, the root first.
func parents(path string) []string {
	var all []string
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		all = append(all, dir)
		if dir == filepath.Dir(dir) {
			break
		}
	}
	slices.Reverse(all)
	return all
}

func (u User) mayPass(st *syscall.Stat_t) bool {
	switch {
	case int(st.Uid) == u.UID:
		return st.Mode&0o100 != 0
	case int(st.Gid) == u.GID:
		return st.Mode&0o010 != 0
	}
	return st.Mode&0o001 != 0
}
