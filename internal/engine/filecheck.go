package engine

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// Bounds of the files of one Spec.
const (
	maxFiles     = 10000    // how many
	maxFileSize  = 4 << 20  // bytes of one
	maxFilesSize = 12 << 20 // bytes of all; a request is bounded, too
	maxFileName  = 128      // characters
)

// known are the files of a Spec, by their plain names. Whatever else names a file would have HAProxy read it as root.
type known map[string]enginepb.File_Kind

// file is the rule for a word that names a file: it must be one of the Spec's, of that kind.
func (k known) file(word string, kind enginepb.File_Kind) error {
	name, ours := strings.CutPrefix(word, haproxy.FilesDir+"/")
	if !ours || kind == enginepb.File_UNKNOWN || k[name] != kind {
		return fmt.Errorf("%q is no file of the kind %s that came with it", word, kind)
	}
	return nil
}

// checkFiles refuses files that HAProxy could be misled by, and returns the others.
func checkFiles(files []*enginepb.File) (known, error) {
	if len(files) > maxFiles {
		return nil, fmt.Errorf("%d files are too many", len(files))
	}
	all, size := known{}, 0
	for _, f := range files {
		if !plainFileName(f.GetName()) {
			return nil, fmt.Errorf("file %q: it must have a plain name", f.GetName())
		}
		if all[f.Name] != enginepb.File_UNKNOWN {
			return nil, fmt.Errorf("file %s is there twice", f.Name)
		}
		all[f.Name] = f.Kind
		if size += len(f.Content); len(f.Content) > maxFileSize || size > maxFilesSize {
			return nil, fmt.Errorf("file %s: %d bytes are too many", f.Name, len(f.Content))
		}
	}
	for _, f := range files {
		if err := all.content(f); err != nil {
			return nil, fmt.Errorf("file %s: %w", f.Name, err)
		}
	}
	return all, nil
}

// plainFileName tells whether a name is of a file in a folder, and for HAProxy of nothing else.
func plainFileName(s string) bool {
	return plainName(s) && len(s) <= maxFileName && !strings.HasPrefix(s, ".") && !strings.HasPrefix(s, "-") && !strings.Contains(s, ":")
}

// content refuses what is not of the file's kind.
func (k known) content(f *enginepb.File) error {
	switch f.Kind {
	case enginepb.File_CERTIFICATE:
		return checkPEM(f.Content, "CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "EC PARAMETERS", "DH PARAMETERS")
	case enginepb.File_AUTHORITIES:
		return checkPEM(f.Content, "CERTIFICATE")
	case enginepb.File_REVOCATIONS:
		return checkPEM(f.Content, "X509 CRL")
	case enginepb.File_CERTIFICATE_LIST:
		return k.list(f.Content)
	case enginepb.File_MAP:
		return checkMap(f.Content)
	default:
		return errors.New("it is of no known kind")
	}
}

// checkPEM wants PEM blocks of these types, and at least one of the first. What stands between them HAProxy ignores.
func checkPEM(text []byte, types ...string) error {
	found := false
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if !slices.Contains(types, block.Type) {
			return fmt.Errorf("it must not have a %.40q", block.Type)
		}
		found = found || block.Type == types[0]
	}
	if !found {
		return fmt.Errorf("it has no %s", types[0])
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return errors.New("it has a byte that is zero")
	}
	return nil
}

// checkMap wants a key and a value on each line.
func checkMap(text []byte) error {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("%.80q is not one line", line)
		}
		if fields := strings.Fields(line); len(fields) == 1 && !strings.HasPrefix(fields[0], "#") {
			return fmt.Errorf("%.80q has no value", line)
		}
	}
	return nil
}

// listOptions are the options of a line of a crt-list, and how many words follow each. Those that name files follow below.
var listOptions = map[string]int{
	"alpn": 1, "ciphers": 1, "ciphersuites": 1, "curves": 1, "ecdhe": 1, "no-alpn": 0, "ssl-max-ver": 1, "ssl-min-ver": 1, "verify": 1,
}

// fileOptions are the options of binds, servers and lines of a crt-list that a file's name follows.
var fileOptions = map[string]enginepb.File_Kind{
	"ca-file": enginepb.File_AUTHORITIES, "ca-verify-file": enginepb.File_AUTHORITIES,
	"crl-file": enginepb.File_REVOCATIONS,
	"crt":      enginepb.File_CERTIFICATE, "crt-list": enginepb.File_CERTIFICATE_LIST,
}

// list checks HAProxy's crt-list: each line has a certificate, options in brackets, and names that it is for.
func (k known) list(text []byte) error {
	lines := 0
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			continue
		}
		lines++
		if err := k.listLine(line); err != nil {
			return fmt.Errorf("%.80q: %w", line, err)
		}
	}
	if lines == 0 {
		return errors.New("it has no certificate")
	}
	return nil
}

func (k known) listLine(line string) error {
	if strings.ContainsFunc(line, func(r rune) bool { return r <= ' ' && r != ' ' || r == 0x7f || strings.ContainsRune(`"'\#`, r) }) {
		return errors.New("it has a character that must not be there")
	}
	name, rest, _ := strings.Cut(line, " ")
	if err := k.file(name, enginepb.File_CERTIFICATE); err != nil {
		return err
	}
	options, names, found := strings.Cut(strings.TrimPrefix(rest, "["), "]")
	if !strings.HasPrefix(rest, "[") {
		options, names, found = "", rest, true
	}
	if !found || strings.ContainsAny(names, "[]") || strings.Contains(options, "[") {
		return errors.New("its brackets do not match")
	}
	return k.words(strings.Fields(options), listOptions)
}

// words checks options, of which others says how many words follow each, beside those that name files.
func (k known) words(words []string, others map[string]int) error {
	for len(words) > 0 {
		n, plain := others[words[0]]
		kind, names := fileOptions[words[0]]
		if names && !plain {
			n = 1
		}
		if !names && !plain || len(words) <= n {
			return fmt.Errorf("the engine takes no such option %q", words[0])
		}
		if names && !plain {
			if err := k.file(words[1], kind); err != nil {
				return err
			}
		}
		if err := checkServerValue(words[0], words[1:n+1]); err != nil {
			return err
		}
		words = words[n+1:]
	}
	return nil
}
