package installation

import (
	"strings"
	"testing"
)

// Each case is a row of the package's table.
func TestWhatMayBeOpened(t *testing.T) {
	const id = "here"
	file := func(epoch int64) found { return found{place: "k.db", made: true, bound: true, id: id, epoch: epoch} }
	server := func(epoch int64) found { f := file(epoch); f.shared = true; return f }
	foreign := found{place: "k.db", made: true, bound: true, id: "there", epoch: 3}
	partly := file(1)
	partly.behind = "the rest is there"
	none, unbound := found{place: "k.db"}, found{place: "k.db", made: true}

	type want struct {
		epoch int64  // 0: refused
		says  string // the error, or the note
	}
	refused := func(says string) want { return want{says: says} }
	opened := func(epoch int64) want { return want{epoch: epoch} }
	noted := func(epoch int64) want { return want{epoch, "not needed any more"} }

	for name, c := range map[string]struct {
		known                known
		found                found
		plain, inits, adopts want
	}{
		"first start ever":                       {known{whole: true}, none, opened(1), opened(1), refused("nothing to adopt")},
		"data of before there were records":      {known{whole: true}, unbound, opened(1), opened(1), opened(1)},
		"first start of a part":                  {known{}, none, refused("move the schema there and say -adopt kitchen, or -init kitchen"), opened(1), refused("nothing to adopt")},
		"old data moved to a part":               {known{}, unbound, refused("of no installation: -adopt kitchen"), opened(1), opened(1)},
		"a file moved to a part":                 {known{}, file(1), refused("not opened in this folder before: -adopt kitchen"), refused("is not empty"), opened(2)},
		"a file moved in part":                   {known{}, partly, refused("-adopt kitchen"), refused("is not empty"), refused("not moved here whole: the rest is there")},
		"a file moved here":                      {known{whole: true}, file(2), refused("-adopt kitchen"), refused("is not empty"), opened(3)},
		"died before it was noted":               {known{whole: true}, file(1), opened(1), opened(1), opened(2)},
		"a second process on a server":           {known{}, server(4), opened(4), opened(4), opened(5)},
		"file went missing":                      {known{epoch: 2, whole: true}, none, refused("is missing, and this folder has had kitchen (epoch 2): bring it back, or -init kitchen"), opened(3), refused("nothing to adopt")},
		"file was replaced by an empty one":      {known{epoch: 2}, unbound, refused("-init kitchen"), opened(3), opened(3)},
		"every day":                              {known{epoch: 2}, file(2), opened(2), noted(2), opened(3)},
		"every day, on a server":                 {known{epoch: 2}, server(2), opened(2), noted(2), opened(3)},
		"forgotten copy under one record":        {known{epoch: 3}, file(2), refused("left behind, or an old one (epoch 2, and this folder knows 3); -adopt kitchen"), refused("is not empty"), opened(4)},
		"forgotten copy on a server":             {known{epoch: 3}, server(2), refused("left behind"), refused("is not empty"), opened(4)},
		"moved on":                               {known{epoch: 1}, file(3), refused("has moved on"), refused("is not empty"), opened(4)},
		"moved on, on a server":                  {known{epoch: 1}, server(3), refused("has moved on"), refused("is not empty"), opened(4)},
		"copy left behind":                       {known{epoch: 2, left: true, whole: true}, file(2), refused("has answered elsewhere since; -adopt kitchen"), refused("is not empty"), opened(3)},
		"left and back, on a server":             {known{epoch: 2, left: true}, server(2), opened(2), opened(2), opened(3)},
		"left and adopted since, on a server":    {known{epoch: 2, left: true}, server(3), refused("has moved on"), refused("is not empty"), opened(4)},
		"left, and its file moved back":          {known{epoch: 1, left: true, whole: true}, file(2), refused("has moved on"), refused("is not empty"), opened(3)},
		"left, and nothing is here":              {known{epoch: 1, left: true, whole: true}, none, refused("is missing"), opened(2), refused("nothing to adopt")},
		"of another installation":                {known{epoch: 3}, foreign, refused("belongs to the installation there, and this folder to here"), refused("belongs"), refused("belongs")},
		"of another installation, to a newcomer": {known{}, foreign, refused("belongs"), refused("belongs"), refused("belongs")},
		"the record was lost":                    {known{loose: true, whole: true}, foreign, refused("-adopt kitchen"), refused("is not empty"), opened(4)},
		"the record was lost, first epoch":       {known{loose: true, whole: true}, found{place: "k.db", made: true, bound: true, id: "there", epoch: 1}, refused("-adopt kitchen"), refused("is not empty"), opened(2)},
		"a container without a disk":             {known{loose: true}, found{place: "k", shared: true, made: true, bound: true, id: "there", epoch: 3}, opened(3), opened(3), opened(4)},
	} {
		t.Run(name, func(t *testing.T) {
			for flag, want := range map[string]want{"": c.plain, "-init": c.inits, "-adopt": c.adopts} {
				k := c.known
				k.id, k.init, k.adopt = id, flag == "-init", flag == "-adopt"
				got, err := decide("kitchen", k, c.found)
				if want.epoch == 0 {
					if err == nil || !strings.Contains(err.Error(), want.says) || !strings.Contains(err.Error(), c.found.place) || strings.Contains(err.Error(), "\n") {
						t.Errorf("%s: %v, want that it %s", flag, err, want.says)
					}
					continue
				}
				if err != nil || got.epoch != want.epoch || !strings.Contains(got.note, want.says) || want.says == "" && got.note != "" {
					t.Errorf("%s: %+v, %v, want epoch %d", flag, got, err, want.epoch)
				}
				if wantID := c.found.id; wantID != "" && got.id != wantID || wantID == "" && got.id != id {
					t.Errorf("%s: id = %s", flag, got.id)
				}
			}
		})
	}
}
