package installation

import "fmt"

// known is what the folder's record and the command line say of a module.
type known struct {
	id    string // of the installation
	loose bool   // the id binds nothing yet, and gives way to that of a schema
	epoch int64  // 0: the folder has not had the module
	left  bool
	whole bool // the folder holds every module there is: what it has not had has not been made
	init  bool
	adopt bool
}

// found is what a schema says of itself.
type found struct {
	place  string
	shared bool // on a server: there is one of it, wherever it is opened from, and no copy in a folder
	made   bool // it has tables
	bound  bool // it has been opened as part of an installation
	id     string
	epoch  int64
	last   string // the file's path when it was opened last
	behind string // what a move that took only part of it, or copied it, has left at that path; empty if nothing
}

// decision is how a schema may be opened.
type decision struct {
	id    string
	epoch int64
	note  string // what the operator should know, if anything
}

// decide tells whether a module may be opened, and as what. The error says in one line what to do; see the package's table.
func decide(module string, k known, f found) (decision, error) {
	if !f.bound {
		return decideEmpty(module, k, f)
	}
	d := decision{id: f.id, epoch: f.epoch}
	if f.id != k.id && !k.loose {
		return d, fmt.Errorf("%s belongs to the installation %s, and this folder to %s", f.place, f.id, k.id)
	}
	if k.adopt && f.behind != "" {
		return d, fmt.Errorf("%s was not moved here whole: %s", f.place, f.behind)
	}
	if k.adopt {
		// Also where the record agrees: it may be that of the place that the schema was moved from.
		d.epoch = max(k.epoch, f.epoch) + 1
		return d, nil
	}
	if k.epoch == f.epoch && !k.left {
		if k.init {
			d.note = "-init is not needed any more; as long as it is given, a missing schema is replaced by an empty one"
		}
		return d, nil
	}
	made := k.whole && f.epoch == 1 && f.id == k.id
	switch {
	case k.epoch == 0 && (made || f.shared):
		// Made a moment ago, when the process ended before it could note it; or the process joins others that have the schema.
		return d, nil
	case k.left && f.shared && k.epoch == f.epoch:
		return d, nil
	case k.init:
		return d, fmt.Errorf("%s is not empty: -init begins only where nothing is, -adopt %s takes over what is there", f.place, module)
	case k.epoch == 0:
		return d, fmt.Errorf("%s was not opened in this folder before: -adopt %s takes it over", f.place, module)
	case f.epoch > k.epoch:
		return d, fmt.Errorf("%s has moved on: it was taken over from elsewhere (epoch %d, and this folder knows %d); -adopt %s takes it back",
			f.place, f.epoch, k.epoch, module)
	case f.epoch < k.epoch:
		return d, fmt.Errorf("%s is a copy that was left behind, or an old one (epoch %d, and this folder knows %d); -adopt %s takes it over all the same",
			f.place, f.epoch, k.epoch, module)
	default:
		return d, fmt.Errorf("%s is a copy that was left behind: %s has answered elsewhere since; -adopt %s takes it over all the same",
			f.place, module, module)
	}
}

// decideEmpty is decide for a schema that is missing, or has not been opened as part of an installation.
func decideEmpty(module string, k known, f found) (decision, error) {
	d := decision{id: k.id, epoch: k.epoch + 1}
	state := "missing"
	if f.made {
		state = "of no installation"
	}
	switch {
	case k.adopt && !f.made:
		return d, fmt.Errorf("%s is missing: there is nothing to adopt", f.place)
	case k.init, k.adopt, k.epoch == 0 && k.whole:
		return d, nil
	case k.epoch == 0 && f.made:
		return d, fmt.Errorf("%s is of no installation: -adopt %s takes it over", f.place, module)
	case k.epoch == 0:
		return d, fmt.Errorf("%s is missing: move the schema there and say -adopt %s, or -init %s to begin with an empty one", f.place, module, module)
	default:
		return d, fmt.Errorf("%s is %s, and this folder has had %s (epoch %d): bring it back, or -init %s begins with an empty one",
			f.place, state, module, k.epoch, module)
	}
}
