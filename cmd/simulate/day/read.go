package day

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Error says where a day's files are wrong.
type Error struct {
	File string
	// Line counts from 1; 0 means the whole file.
	Line   int
	Reason string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.File, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
}

// Limits of what is read: a day of more is not one that this format was made for.
const (
	maxRows  = 100_000
	maxLine  = 4096
	maxValue = 1e7
)

// The files of a day.
const (
	parameterFile  = "instance_parameters.txt"
	restaurantFile = "restaurants.txt"
	courierFile    = "couriers.txt"
	orderFile      = "orders.txt"
)

// Read reads the day in dir. That dir holds no day, and every fault of its content, is an *Error; that a file cannot be read is an error
// of package fs.
func Read(dir string) (Day, error) {
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return Day{}, &Error{dir, 0, "there is no such folder"}
	} else if err == nil && !info.IsDir() {
		return Day{}, &Error{dir, 0, "is no folder"}
	}
	var missing []string
	for _, file := range []string{parameterFile, restaurantFile, courierFile, orderFile} {
		if _, err := os.Stat(filepath.Join(dir, file)); errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, file)
		}
	}
	if len(missing) > 0 {
		return Day{}, &Error{dir, 0, "has no " + strings.Join(missing, ", ")}
	}
	return ReadFS(os.DirFS(dir), filepath.Base(filepath.Clean(dir)))
}

// ReadFS reads the day at the root of a file system.
func ReadFS(files fs.FS, name string) (Day, error) {
	d := Day{Name: name}
	read := func(file string, columns []string, row func(fields []string) error) error {
		f, err := files.Open(file)
		if err != nil {
			return fmt.Errorf("reading the instance: %w", err)
		}
		defer func() { _ = f.Close() }()
		return table(f, file, columns, row)
	}
	err := errors.Join(
		read(parameterFile, parameterColumns, d.addParameters),
		read(restaurantFile, restaurantColumns, d.addRestaurant),
		read(courierFile, courierColumns, d.addCourier),
		read(orderFile, orderColumns, d.addOrder),
	)
	if err != nil {
		return Day{}, err
	}
	return d, d.check()
}

var (
	parameterColumns = []string{"meters_per_minute", "pickup service minutes", "dropoff service minutes", "target click-to-door",
		"maximum click-to-door", "pay per order", "guaranteed pay per hour"}
	restaurantColumns = []string{"restaurant", "x", "y"}
	courierColumns    = []string{"courier", "x", "y", "on_time", "off_time"}
	orderColumns      = []string{"order", "x", "y", "placement_time", "restaurant", "ready_time"}
)

// table reads tab-separated rows below a header that must name exactly the given columns.
func table(r io.Reader, file string, columns []string, row func([]string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		text := strings.TrimRight(lines.Text(), "\r")
		fields := strings.Split(text, "\t")
		if n == 1 {
			if strings.TrimPrefix(text, "\ufeff") != strings.Join(columns, "\t") {
				return &Error{file, 1, "the header must be: " + strings.Join(columns, ", ")}
			}
			continue
		}
		if text == "" {
			continue
		}
		if n > maxRows {
			return &Error{file, n, fmt.Sprintf("more than %d rows", maxRows)}
		}
		if len(fields) != len(columns) {
			return &Error{file, n, fmt.Sprintf("%d columns instead of %d", len(fields), len(columns))}
		}
		if err := row(fields); err != nil {
			return &Error{file, n, err.Error()}
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return &Error{file, n + 1, fmt.Sprintf("a line of more than %d bytes", maxLine)}
	} else if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if n == 0 {
		return &Error{file, 0, "empty"}
	}
	return nil
}

func (d *Day) addParameters(f []string) error {
	if d.Parameters != (Parameters{}) {
		return errors.New("a second row of parameters")
	}
	var r rowReader
	d.Parameters = Parameters{
		MetresPerMinute:      r.number("meters_per_minute", f[0]),
		PickupService:        r.minutes("pickup service minutes", f[1]),
		DropoffService:       r.minutes("dropoff service minutes", f[2]),
		TargetClickToDoor:    r.minutes("target click-to-door", f[3]),
		MaximumClickToDoor:   r.minutes("maximum click-to-door", f[4]),
		PayPerOrder:          r.number("pay per order", f[5]),
		GuaranteedPayPerHour: r.number("guaranteed pay per hour", f[6]),
	}
	return r.err
}

func (d *Day) addRestaurant(f []string) error {
	var r rowReader
	d.Restaurants = append(d.Restaurants, Restaurant{ID: r.id("restaurant", f[0]), At: r.point(f[1], f[2])})
	return r.err
}

func (d *Day) addCourier(f []string) error {
	var r rowReader
	c := Courier{ID: r.id("courier", f[0]), At: r.point(f[1], f[2]), On: r.minutes("on_time", f[3]), Off: r.minutes("off_time", f[4])}
	if r.err == nil && c.Off < c.On {
		return fmt.Errorf("off_time %s is before on_time %s", f[4], f[3])
	}
	d.Couriers = append(d.Couriers, c)
	return r.err
}

func (d *Day) addOrder(f []string) error {
	var r rowReader
	o := Order{ID: r.id("order", f[0]), To: r.point(f[1], f[2]), Placed: r.minutes("placement_time", f[3]),
		Restaurant: r.id("restaurant", f[4]), Ready: r.minutes("ready_time", f[5])}
	if r.err == nil && o.Ready < o.Placed {
		return fmt.Errorf("ready_time %s is before placement_time %s", f[5], f[3])
	}
	d.Orders = append(d.Orders, o)
	return r.err
}

// check compares the files with one another.
func (d *Day) check() error {
	switch p := d.Parameters; {
	case p == Parameters{}:
		return &Error{parameterFile, 0, "no row of parameters"}
	case p.MetresPerMinute == 0:
		return &Error{parameterFile, 2, "meters_per_minute is zero: nobody would ever arrive"}
	case len(d.Orders) == 0:
		return &Error{orderFile, 0, "no orders"}
	}
	restaurants := map[string]bool{}
	for i, r := range d.Restaurants {
		if restaurants[r.ID] {
			return &Error{restaurantFile, i + 2, fmt.Sprintf("restaurant %q stands twice", r.ID)}
		}
		restaurants[r.ID] = true
	}
	couriers := map[string]bool{}
	for i, c := range d.Couriers {
		if couriers[c.ID] {
			return &Error{courierFile, i + 2, fmt.Sprintf("courier %q stands twice", c.ID)}
		}
		couriers[c.ID] = true
	}
	orders := map[string]bool{}
	for i, o := range d.Orders {
		if orders[o.ID] {
			return &Error{orderFile, i + 2, fmt.Sprintf("order %q stands twice", o.ID)}
		}
		if !restaurants[o.Restaurant] {
			return &Error{orderFile, i + 2, fmt.Sprintf("restaurant %q is not in restaurants.txt", o.Restaurant)}
		}
		orders[o.ID] = true
	}
	return nil
}

// rowReader reads the fields of one row and keeps the first fault.
type rowReader struct{ err error }

func (r *rowReader) id(column, text string) string {
	if r.err == nil && (text == "" || len(text) > 64) {
		r.err = fmt.Errorf("%s must have 1 to 64 characters", column)
	}
	return text
}

func (r *rowReader) number(column, text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if r.err == nil && (err != nil || math.IsNaN(v) || v < 0 || v > maxValue) {
		r.err = fmt.Errorf("%s must be a number from 0 to %.0f, not %q", column, maxValue, text)
	}
	return v
}

func (r *rowReader) minutes(column, text string) time.Duration {
	v := r.number(column, text)
	if r.err != nil {
		return 0
	}
	return time.Duration(v * float64(time.Minute))
}

func (r *rowReader) point(x, y string) Point {
	p := Point{r.coordinate("x", x), r.coordinate("y", y)}
	return p
}

// coordinate reads metres on the plane; a day may lie on any side of its origin.
func (r *rowReader) coordinate(column, text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if r.err == nil && (err != nil || math.IsNaN(v) || math.Abs(v) > 1e6) {
		r.err = fmt.Errorf("%s must be a number of metres from -1000000 to 1000000, not %q", column, text)
	}
	return v
}
