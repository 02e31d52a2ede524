package day

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// After a change of Small, write its day anew with: go run ./cmd/simulate -make cmd/simulate/day/small
func TestTheShippedDayIsWhatItsGeneratorMakes(t *testing.T) {
	made := t.TempDir()
	if err := Small(DefaultSeed).Write(made); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"orders.txt", "couriers.txt", "restaurants.txt", "instance_parameters.txt"} {
		want, err := os.ReadFile(filepath.Join(made, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("small", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("small/%s is not what Small(%d) makes", name, DefaultSeed)
		}
	}
}

func TestADayReadsBackAsItWasWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		want := Small(seed)
		if err := want.Write(dir); err != nil {
			t.Fatal(err)
		}
		got, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: read %+v, wrote %+v", seed, got, want)
		}
	}
}

func TestRealInstancesAreRead(t *testing.T) {
	root := os.Getenv("KERF_INSTANCES")
	if root == "" {
		t.Log("KERF_INSTANCES is not set: the real instances are not read")
		return
	}
	for name, orders := range map[string]int{"0o100t100s1p100": 505, "1o100t100s1p100": 538, "2o100t100s1p100": 708} {
		d, err := Read(filepath.Join(root, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(d.Orders) != orders || d.Parameters.MetresPerMinute != 320 || d.Parameters.TargetClickToDoor != 40*time.Minute {
			t.Errorf("%s: %d orders, parameters %+v", name, len(d.Orders), d.Parameters)
		}
	}
}

func TestBadFilesAreNamedByFileAndLine(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, new string
		line           int
		says           string
	}{
		"wrong header":             {"orders.txt", "placement_time", "placed", 1, "header"},
		"missing column":           {"couriers.txt", "0\t120\n", "0\n", 2, "4 columns instead of 5"},
		"not a number":             {"restaurants.txt", "r1\t", "r1\tx", 2, "number of metres"},
		"not finite":               {"orders.txt", "o1\t", "o1\tNaN", 2, "number of metres"},
		"unknown restaurant":       {"restaurants.txt", "r1\t", "q1\t", 0, "not in restaurants.txt"},
		"the same restaurant":      {"restaurants.txt", "r2\t", "r1\t", 3, "stands twice"},
		"the same order":           {"orders.txt", "o2\t", "o1\t", 3, "stands twice"},
		"nobody would ever arrive": {"instance_parameters.txt", "320", "0", 2, "nobody would ever arrive"},
	} {
		t.Run(name, func(t *testing.T) {
			files := smallFiles(t)
			text := string(files[c.file].Data)
			if !strings.Contains(text, c.old) {
				t.Fatalf("%s does not contain %q", c.file, c.old)
			}
			files[c.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, c.old, c.new, 1))}
			_, err := ReadFS(files, "bad")
			var bad *Error
			if !errors.As(err, &bad) {
				t.Fatalf("error %v is not typed", err)
			}
			if !strings.Contains(bad.Error(), c.says) || c.line != 0 && (bad.Line != c.line || bad.File != c.file) {
				t.Errorf("%q does not say %q at line %d of %s", bad, c.says, c.line, c.file)
			}
		})
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	files := smallFiles(t)
	delete(files, "couriers.txt")
	if _, err := ReadFS(files, "bad"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "couriers.txt") {
		t.Errorf("got %v", err)
	}
}

func TestThePlaneKeepsItsDistancesOnTheEarth(t *testing.T) {
	d := Small(1)
	for _, o := range d.Orders {
		a, b := o.To, d.Restaurants[0].At
		want := Distance(a, b)
		if back := PointAt(a.Degrees()); Distance(a, back) > 0.001 {
			t.Errorf("%v comes back as %v", a, back)
		}
		if got := greatCircle(a, b); math.Abs(got-want) > want/1000+0.1 {
			t.Errorf("%v to %v: %f m on the earth, %f m on the plane", a, b, got, want)
		}
	}
}

// greatCircle is the haversine distance in metres on a sphere of the earth's mean radius.
func greatCircle(a, b Point) float64 {
	lat1, lon1 := a.Degrees()
	lat2, lon2 := b.Degrees()
	rad := math.Pi / 180
	h := math.Pow(math.Sin((lat2-lat1)*rad/2), 2) + math.Cos(lat1*rad)*math.Cos(lat2*rad)*math.Pow(math.Sin((lon2-lon1)*rad/2), 2)
	return 2 * 6371008.8 * math.Asin(math.Sqrt(h))
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"orders.txt", "couriers.txt", "restaurants.txt", "instance_parameters.txt"} {
		text, err := os.ReadFile(filepath.Join("small", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, text)
	}
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		files := smallFiles(t)
		files[name] = &fstest.MapFile{Data: content}
		d, err := ReadFS(files, "fuzzed")
		if err != nil {
			return
		}
		for _, o := range d.Orders {
			if o.Ready < o.Placed || math.IsNaN(o.To.X) || math.IsInf(o.To.X, 0) {
				t.Fatalf("accepted %+v", o)
			}
		}
	})
}

func smallFiles(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"orders.txt", "couriers.txt", "restaurants.txt", "instance_parameters.txt"} {
		text, err := os.ReadFile(filepath.Join("small", name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return files
}
