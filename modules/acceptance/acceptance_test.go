package acceptance

import (
	"flag"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
)

// scratch is a folder for what all tests share; TestMain makes and removes it.
var scratch string

// TestMain lets many stories wait at the same time, however few cores there are, unless it is told otherwise.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", "16") // the name and the value are right
	}
	var err error
	if scratch, err = os.MkdirTemp("", "kerf"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(scratch) // of no use to anybody, and of no harm
	os.Exit(status)
}

// scenario is a story that has to come true in every shape.
type scenario struct {
	name string
	// speed is that of the domain clock it is told on.
	speed float64
	story func(*city)
}

// toldElsewhere are the operations that TestAPoisonedMessageIsParked is about.
var toldElsewhere = map[string]bool{"replayParked": true, "dropParked": true}

func TestAcceptance(t *testing.T) {
	var known contracts
	var told atomic.Int64
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			worlds := map[float64]*world{}
			for _, speed := range []float64{brisk, hasty} {
				worlds[speed] = newWorld(t, shape.start(t, speed), &known)
			}
			t.Run("scenarios", func(t *testing.T) {
				for _, s := range scenarios {
					t.Run(s.name, func(t *testing.T) {
						t.Parallel()
						told.Add(1)
						s.story(worlds[s.speed].city(t))
					})
				}
			})
			for _, w := range worlds {
				w.quiet(t)
			}
			if told.Swap(0) == int64(len(scenarios)) { // and not some of them, which the command line chose
				for _, operation := range worlds[brisk].contract.untried() {
					if !toldElsewhere[operation] {
						t.Errorf("%s is described, but no story is about it", operation)
					}
				}
			}
		})
	}
}
