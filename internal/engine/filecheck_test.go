package engine

import (
	"strings"
	"testing"

	"plimsoll/internal/engine/enginepb"
	"plimsoll/internal/haproxy"
)

// fileSpec has a file of every kind.
func fileSpec(t *testing.T) *enginepb.Spec {
	t.Helper()
	c := newCertificate(t, "a.test", 1)
	s := plainSpec()
	s.Files = []*enginepb.File{
		{Name: "cert.pem", Kind: enginepb.File_CERTIFICATE, Content: c.bundle()},
		{Name: "ca.pem", Kind: enginepb.File_AUTHORITIES, Content: c.cert},
		{Name: "crl.pem", Kind: enginepb.File_REVOCATIONS, Content: []byte("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")},
		{Name: "list.txt", Kind: enginepb.File_CERTIFICATE_LIST, Content: []byte(
			"files/cert.pem\nfiles/cert.pem [alpn h2,http/1.1 ca-file files/ca.pem crl-file files/crl.pem verify required] *.a.test !b.a.test\n")},
		{Name: "limits.map", Kind: enginepb.File_MAP, Content: []byte("# a comment\n\n/a 1\n/b  some words\n")},
	}
	s.Servers[0].Options = []string{"ssl crt files/cert.pem ca-file files/ca.pem crl-file files/crl.pem verify required"}
	return s
}

func TestCheckFiles(t *testing.T) {
	file := func(n int, change func(*enginepb.File)) func(*enginepb.Spec) {
		return func(s *enginepb.Spec) { change(s.Files[n]) }
	}
	content := func(n int, text string) func(*enginepb.Spec) {
		return file(n, func(f *enginepb.File) { f.Content = []byte(text) })
	}
	option := func(text string) func(*enginepb.Spec) {
		return func(s *enginepb.Spec) { s.Servers[0].Options = []string{text} }
	}
	bad := map[string]func(*enginepb.Spec){
		"bad: name of another folder":    file(4, func(f *enginepb.File) { f.Name = "../limits.map" }),
		"bad: absolute name":             file(4, func(f *enginepb.File) { f.Name = "/etc/passwd" }),
		"bad: no name":                   file(4, func(f *enginepb.File) { f.Name = "" }),
		"bad: hidden":                    file(4, func(f *enginepb.File) { f.Name = ".limits.map" }),
		"bad: an option as a name":       file(4, func(f *enginepb.File) { f.Name = "-f" }),
		"bad: a name with a line break":  file(4, func(f *enginepb.File) { f.Name = "a\nb" }),
		"bad: a name with a line number": file(4, func(f *enginepb.File) { f.Name = "a:1" }),
		"bad: a long name":               file(4, func(f *enginepb.File) { f.Name = strings.Repeat("x", maxFileName+1) }),
		"bad: twice":                     file(4, func(f *enginepb.File) { f.Name = "ca.pem" }),
		"bad: no kind":                   file(4, func(f *enginepb.File) { f.Kind = enginepb.File_UNKNOWN }),
		"bad: an unknown kind":           file(4, func(f *enginepb.File) { f.Kind = 99 }),
		"bad: too large":                 content(4, strings.Repeat("/a 1\n", maxFileSize/5+1)),
		"bad: too many":                  func(s *enginepb.Spec) { s.Files = make([]*enginepb.File, maxFiles+1) },
		"bad: nothing":                   func(s *enginepb.Spec) { s.Files[4] = nil },
		"bad: a certificate without":     content(0, "rubbish"),
		"bad: a key only":                content(0, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
		"bad: a key that is encrypted": file(0, func(f *enginepb.File) {
			f.Content = append(f.Content, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"...)
		}),
		"bad: a key among authorities":     func(s *enginepb.Spec) { s.Files[1].Content = s.Files[0].Content },
		"bad: a zero byte":                 file(0, func(f *enginepb.File) { f.Content = append(f.Content, 0) }),
		"bad: no revocation list":          content(2, ""),
		"bad: an empty list":               content(3, "\n"),
		"bad: a file of the host":          content(3, "/etc/ssl/private/key.pem\n"),
		"bad: a file that is not there":    content(3, "files/other.pem\n"),
		"bad: a file of another kind":      content(3, "files/ca.pem\n"),
		"bad: a folder up":                 content(3, "files/../cert.pem\n"),
		"bad: an option with a file":       content(3, "files/cert.pem [ca-file /etc/shadow]\n"),
		"bad: an option with another kind": content(3, "files/cert.pem [ca-file files/cert.pem]\n"),
		"bad: an unknown option":           content(3, "files/cert.pem [ocsp-update on]\n"),
		"bad: an option cut short":         content(3, "files/cert.pem [verify]\n"),
		"bad: a quoted word":               content(3, "files/cert.pem [alpn \"h2\"]\n"),
		"bad: an open bracket":             content(3, "files/cert.pem [alpn h2\n"),
		"bad: two brackets":                content(3, "files/cert.pem [alpn h2] [ca-file /etc/shadow]\n"),
		"bad: a bracket in a bracket":      content(3, "files/cert.pem [alpn [h2]\n"),
		"bad: a tab":                       content(3, "files/cert.pem\t[ca-file /etc/shadow]\n"),
		"bad: a line of a map":             content(4, "/a\n"),
		"bad: a control character":         content(4, "/a 1\x00\n"),
		"bad: a carriage return":           content(4, "/a 1\r\n"),
		"bad: option, no file":             option("ssl crt files/other.pem"),
		"bad: option, another kind":        option("ssl crt files/ca.pem"),
		"bad: option, a folder":            option("ssl crt files/"),
		"bad: option, of the host":         option("ssl ca-file /etc/shadow"),
		"bad: option, all of the host's":   option("ssl ca-file @system-ca"),
		"bad: option, without a word":      option("ssl ca-file"),
		"bad: option, no folder":           option("ssl ca-file ca.pem"),
	}
	for name, spoil := range bad {
		s := fileSpec(t)
		spoil(s)
		if _, err := checkSpec(s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	s := fileSpec(t)
	for range maxFilesSize / maxFileSize {
		s.Files = append(s.Files, &enginepb.File{Name: strings.Repeat("x", len(s.Files)), Kind: enginepb.File_MAP, Content: []byte(strings.Repeat("/a 1\n", maxFileSize/5))})
	}
	if _, err := checkSpec(s); err == nil {
		t.Error("bad: too much: accepted")
	}
	if _, err := checkSpec(fileSpec(t)); err != nil {
		t.Errorf("a spec with files: %v", err)
	}
}

// FuzzCertificateList shows that a list that is accepted names no file but those of its Spec.
func FuzzCertificateList(f *testing.F) {
	f.Add("files/cert.pem\n")
	f.Add("files/cert.pem [alpn h2 ca-file files/ca.pem] *.a.test\nfiles/cert.pem !a")
	f.Add("files/cert.pem [ca-file /etc/shadow]")
	f.Add("files/cert.pem a [b] c")
	k := known{"cert.pem": enginepb.File_CERTIFICATE, "ca.pem": enginepb.File_AUTHORITIES}
	f.Fuzz(func(t *testing.T, text string) {
		if k.list([]byte(text)) != nil {
			return
		}
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); line == "" {
				continue
			}
			if name, _, _ := strings.Cut(line, " "); name != "files/cert.pem" {
				t.Errorf("%q begins with %s", line, name)
			}
			_, rest, _ := strings.Cut(line, "[")
			options, _, _ := strings.Cut(rest, "]")
			for words := strings.Fields(options); len(words) > 0; words = words[1:] {
				if words[0] == "no-alpn" {
					continue
				}
				if strings.HasSuffix(words[0], "-file") && words[1] != "files/ca.pem" || words[0] == "crt" && words[1] != "files/cert.pem" {
					t.Errorf("%q names %s", line, words[1])
				}
				words = words[1:]
			}
		}
	})
}

// FuzzFileName shows that whatever name is accepted is of a file right below its folder.
func FuzzFileName(f *testing.F) {
	f.Add("cert.pem")
	f.Add("../x")
	f.Fuzz(func(t *testing.T, name string) {
		if !plainFileName(name) {
			return
		}
		if strings.ContainsAny(name, "/\\ \n\x00:") || strings.HasPrefix(name, ".") || haproxy.FileName(name) != "files/"+name {
			t.Errorf("%q accepted", name)
		}
	})
}
