package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// keep is a folder in which the invented reports are left, to be looked at.
var keep = flag.String("keep", "", "folder to leave the invented reports in")

func render(t *testing.T, in Input, name string) string {
	t.Helper()
	var page bytes.Buffer
	if err := Write(&page, in); err != nil {
		t.Fatal(err)
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, name), page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return page.String()
}

func TestWholeReport(t *testing.T) {
	page := render(t, inventReport(), "whole.html")
	t.Log(len(page))
}

func TestOddReport(t *testing.T) {
	render(t, Input{Findings: odd()}, "odd.html")
}
