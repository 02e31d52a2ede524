package usage_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asChild has the test's binary be a process that is watched. It obeys lines on standard input: "burn 50ms" uses so much CPU and says what it has used by
// its own account; "spawn 50ms" has a child do the same and waits for it; "rest" ends.
const asChild = "USAGE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		os.Exit(m.Run())
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		order, argument, _ := strings.Cut(lines.Text(), " ")
		amount, _ := time.ParseDuration(argument)
		switch order {
		case "burn":
			for until := ownCPU(syscall.RUSAGE_SELF) + amount; ownCPU(syscall.RUSAGE_SELF) < until; {
			}
		case "spawn":
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), asChild+"=1")
			child.Stdin = strings.NewReader("burn " + argument + "\n")
			if err := child.Run(); err != nil {
				panic(err)
			}
		}
		fmt.Println(int64(ownCPU(syscall.RUSAGE_SELF) + ownCPU(syscall.RUSAGE_CHILDREN)))
	}
}

func ownCPU(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// child is a process that does what it is told.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	orders io.WriteCloser
	says   *bufio.Scanner
}

func startChild(t *testing.T, env ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(append(os.Environ(), asChild+"=1"), env...)
	c.cmd.Stderr = os.Stderr
	var err error
	if c.orders, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.says = bufio.NewScanner(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// do has the child do something, and returns what it and its children have used by their own account when it is done.
func (c *child) do(order string) time.Duration {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.orders, order); err != nil {
		c.t.Fatal(err)
	}
	if !c.says.Scan() {
		c.t.Fatalf("the child says nothing: %v", c.says.Err())
	}
	used, err := strconv.ParseInt(c.says.Text(), 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return time.Duration(used)
}

// end kills the child and waits for it.
func (c *child) end() {
	c.t.Helper()
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}
