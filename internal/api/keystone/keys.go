package keystone

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fernet/fernet-go"
)

// keys seal tokens. They lie in a directory under numbers, as Keystone's do: the highest is the primary, which seals; 0 is
// the staged one, which will be the primary after the next rotation; those between are there for tokens still around.
type keys struct {
	dir string

	mu     sync.Mutex
	ring   []*fernet.Key // the primary first
	loaded time.Time
}

const (
	activeKeys     = 3           // that a rotation leaves
	reloadAfter    = time.Minute // another process may have rotated them
	reloadAtOnce   = time.Second // at most this often for tokens that no key opens
	maxSealed      = 1024        // bytes of a token's text
	keyMode        = os.FileMode(0o600)
	keyDirMode     = os.FileMode(0o700)
	stagedKey      = 0
	temporaryStart = ".new-"
)

func openKeys(dir string) (*keys, error) {
	k := &keys{dir: dir}
	if err := os.MkdirAll(dir, keyDirMode); err != nil {
		return nil, fmt.Errorf("make the directory of token keys: %w", err)
	}
	numbers, err := k.numbers()
	if err != nil {
		return nil, err
	}
	if len(numbers) == 0 || numbers[len(numbers)-1] == stagedKey {
		if err := k.generate(1); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(numbers, stagedKey) {
		if err := k.generate(stagedKey); err != nil {
			return nil, err
		}
	}
	return k, k.load()
}

// rotate makes the staged key the primary one, stages a new one and drops the oldest beyond activeKeys.
func (k *keys) rotate() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	numbers, err := k.numbers()
	if err != nil {
		return err
	}
	if !slices.Contains(numbers, stagedKey) { // an earlier rotation got no further
		return k.generate(stagedKey)
	}
	next := numbers[len(numbers)-1] + 1
	if err := os.Rename(k.path(stagedKey), k.path(next)); err != nil {
		return fmt.Errorf("promote the staged token key: %w", err)
	}
	promoted := time.Now() // how long a key seals counts from here
	if err := os.Chtimes(k.path(next), promoted, promoted); err != nil {
		return fmt.Errorf("date the primary token key: %w", err)
	}
	if err := k.generate(stagedKey); err != nil {
		return err
	}
	old := numbers[1:]
	for len(old)+2 > activeKeys {
		if err := os.Remove(k.path(old[0])); err != nil {
			return fmt.Errorf("remove an old token key: %w", err)
		}
		old = old[1:]
	}
	return k.load()
}

// numbers lists the keys there are, in order.
func (k *keys) numbers() ([]int, error) {
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		return nil, fmt.Errorf("list the token keys: %w", err)
	}
	var numbers []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n >= 0 && strconv.Itoa(n) == e.Name() {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (k *keys) path(number int) string { return filepath.Join(k.dir, strconv.Itoa(number)) }

// generate writes a new key under a number, whole or not at all, and so that a power cut does not undo it.
func (k *keys) generate(number int) error {
	var key fernet.Key
	if err := key.Generate(); err != nil {
		return fmt.Errorf("make a token key: %w", err)
	}
	temporary := filepath.Join(k.dir, temporaryStart+strconv.Itoa(number))
	if err := writeSynced(temporary, key.Encode()+"\n"); err != nil {
		return fmt.Errorf("write a token key: %w", err)
	}
	if err := os.Rename(temporary, k.path(number)); err != nil {
		return fmt.Errorf("write a token key: %w", err)
	}
	return nil
}

func writeSynced(path, text string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, keyMode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}

func (k *keys) load() error {
	numbers, err := k.numbers()
	if err != nil {
		return err
	}
	slices.Reverse(numbers)
	var ring []*fernet.Key
	for _, n := range numbers {
		text, err := os.ReadFile(k.path(n))
		if err != nil {
			return fmt.Errorf("read a token key: %w", err)
		}
		key, err := fernet.DecodeKey(strings.TrimSpace(string(text)))
		if err != nil {
			return fmt.Errorf("token key %s is damaged", k.path(n))
		}
		ring = append(ring, key)
	}
	if len(ring) == 0 {
		return errors.New("there are no token keys in " + k.dir)
	}
	k.ring, k.loaded = ring, time.Now()
	return nil
}

// current returns the keys, read anew when they were last read longer ago than age. Keys that cannot be read now are no
// reason to forget those that were.
func (k *keys) current(age time.Duration) ([]*fernet.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.loaded) < age {
		return k.ring, nil
	}
	err := k.load()
	k.loaded = time.Now()
	return k.ring, err
}

// seal makes a token's text.
func (k *keys) seal(payload []byte) (string, error) {
	ring, _ := k.current(reloadAfter)
	sealed, err := fernet.EncryptAndSign(payload, ring[0])
	if err != nil {
		return "", fmt.Errorf("seal a token: %w", err)
	}
	return strings.TrimRight(string(sealed), "="), nil
}

var errSealed = errors.New("no token of ours")

// open returns what seal was given.
func (k *keys) open(text string) ([]byte, error) {
	if len(text) > maxSealed {
		return nil, errSealed
	}
	// Readers of base64 skip line ends, and Fernet's stops at the first odd character: here a token has one form only.
	text = strings.TrimRight(text, "=")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(raw) != text {
		return nil, errSealed
	}
	padded := []byte(base64.URLEncoding.EncodeToString(raw))
	for _, age := range []time.Duration{reloadAfter, reloadAtOnce} {
		ring, _ := k.current(age)
		if payload := fernet.VerifyAndDecrypt(padded, 0, ring); payload != nil {
			return payload, nil
		}
	}
	return nil, errSealed
}

// keyLife is how long a token key seals.
const keyLife = 7 * 24 * time.Hour

// Run rotates the token keys each time the one that seals has done so for a week, until ctx ends. Tokens live for much
// less, so none is lost.
func (s *Service) Run(ctx context.Context) error {
	look := time.NewTicker(time.Hour)
	defer look.Stop()
	for {
		if err := s.keys.rotateOld(time.Now()); err != nil {
			s.log.Error("token keys could not be rotated", "err", err)
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// rotateOld rotates when the primary key has sealed for keyLife.
func (k *keys) rotateOld(now time.Time) error {
	numbers, err := k.numbers()
	if err != nil || len(numbers) == 0 {
		return err
	}
	primary, err := os.Stat(k.path(numbers[len(numbers)-1]))
	if err != nil {
		return fmt.Errorf("look at the primary token key: %w", err)
	}
	if now.Sub(primary.ModTime()) < keyLife {
		return nil
	}
	return k.rotate()
}
