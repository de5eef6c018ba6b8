package haproxy

import (
	"regexp"

	"plimsoll/internal/engine/enginepb"
)

// FilesDir is the folder of a Spec's files, in the run directory. The configuration names each as FileName says.
const FilesDir = "files"

// FileName is the word by which the configuration, crt-lists and the Runtime API name a file of a Spec.
func FileName(plain string) string { return FilesDir + "/" + plain }

// fileWord finds the files that a line names.
var fileWord = regexp.MustCompile(FilesDir + `/([0-9A-Za-z][0-9A-Za-z._-]*)`)

func fileByName(files []*enginepb.File) map[string]*enginepb.File {
	all := make(map[string]*enginepb.File, len(files))
	for _, f := range files {
		all[f.Name] = f
	}
	return all
}
