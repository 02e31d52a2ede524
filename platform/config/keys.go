package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setting is a key and the field that it sets.
type setting struct {
	key   string
	field reflect.Value
}

// settings lists the keys of a Config in the order of its fields.
func settings(cfg *Config) []setting {
	return settingsOf("", reflect.ValueOf(cfg).Elem())
}

func settingsOf(prefix string, section reflect.Value) (all []setting) {
	for i := range section.NumField() {
		name := section.Type().Field(i).Tag.Get("koanf")
		if name == "-" {
			continue
		}
		field := section.Field(i)
		if field.Kind() == reflect.Struct {
			all = append(all, settingsOf(prefix+name+".", field)...)
			continue
		}
		all = append(all, setting{prefix + name, field})
	}
	return all
}

// variable is the environment variable of a key.
func variable(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

const prefix = "KERF_"

// set gives the field the value that a file, the environment or a flag has for its
// key, or says what is wrong with the value, which it does not repeat.
func (s setting) set(value any) error {
	switch field := s.field.Addr().Interface().(type) {
	case *string:
		switch value.(type) {
		case string, int, float64:
			*field = fmt.Sprint(value)
			return nil
		}
		return errors.New("is not a text")
	case *bool:
		return setParsed(field, value, strconv.ParseBool, "is not true or false")
	case *float64:
		if whole, ok := value.(int); ok {
			value = float64(whole)
		}
		return setParsed(field, value, parseFloat, "is not a number")
	case *time.Duration:
		return setParsed(field, value, time.ParseDuration, "is not a duration such as 10s")
	case *[]string:
		list, ok := listOf(value)
		if !ok {
			return errors.New("is not a list of names")
		}
		*field = list
		return nil
	default:
		panic(fmt.Sprintf("config: no rule for the type of %s", s.key))
	}
}

func parseFloat(text string) (float64, error) { return strconv.ParseFloat(text, 64) }

// setParsed takes a value of the field's type, or a text that parse understands.
func setParsed[T any](field *T, value any, parse func(string) (T, error), complaint string) error {
	parsed, ok := value.(T)
	if text, isText := value.(string); isText {
		var err error
		parsed, err = parse(strings.TrimSpace(text))
		ok = err == nil
	}
	if !ok {
		return errors.New(complaint)
	}
	*field = parsed
	return nil
}

// listOf takes a YAML list, or names separated by commas.
func listOf(value any) (list []string, ok bool) {
	switch value := value.(type) {
	case string:
		for name := range strings.SplitSeq(value, ",") {
			list = append(list, strings.TrimSpace(name))
		}
		return list, true
	case []any:
		for _, element := range value {
			name, ok := element.(string)
			if !ok {
				return nil, false
			}
			list = append(list, name)
		}
		return list, true
	}
	return nil, false
}
