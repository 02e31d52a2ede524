package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// setting is a key, with anyModule where it has a module's name.
type setting struct {
	key    string
	secret bool
	value  reflect.Value // of the Config that was asked; none behind anyModule
}

// anyModule stands for a module's name in a key: remotes.*.
const anyModule = "*"

// settings lists the keys of a Config in the order of its fields.
func settings(cfg *Config) []setting {
	return settingsOf("", reflect.ValueOf(cfg).Elem())
}

func settingsOf(prefix string, section reflect.Value) (all []setting) {
	for i := range section.NumField() {
		field := section.Type().Field(i)
		name, squashed := tag(field)
		switch value := section.Field(i); {
		case squashed:
			all = append(all, settingsOf(prefix, value)...)
		case name == "-":
		case field.Type.Kind() == reflect.Struct:
			all = append(all, settingsOf(prefix+name+".", value)...)
		case field.Type.Kind() == reflect.Map && field.Type.Elem().Kind() == reflect.Struct:
			all = append(all, settingsOf(prefix+name+"."+anyModule+".", reflect.Zero(field.Type.Elem()))...)
		case field.Type.Kind() == reflect.Map:
			all = append(all, setting{key: prefix + name + "." + anyModule, value: reflect.Zero(field.Type.Elem())})
		default:
			all = append(all, setting{key: prefix + name, value: value, secret: field.Tag.Get("secret") != ""})
		}
	}
	return all
}

// tag gives a field's name in keys; the keys of a squashed section have none for it.
func tag(field reflect.StructField) (name string, squashed bool) {
	name, option, _ := strings.Cut(field.Tag.Get("koanf"), ",")
	return name, option == "squash"
}

// matches tells whether a key, or a section of keys, is one of the template, and which module it names.
func matches(template, key string) (module string, ok bool) {
	wanted, given := strings.Split(template, "."), strings.Split(key, ".")
	if len(wanted) != len(given) {
		return "", false
	}
	for i := range wanted {
		switch {
		case wanted[i] == anyModule && given[i] != "":
			module = given[i]
		case wanted[i] != given[i]:
			return "", false
		}
	}
	return module, true
}

// variable is the environment variable of a key.
func variable(key string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// keyOf is the key that a variable sets if it is one of the template. A module's name has no underscore.
func keyOf(template, name string) (key string, ok bool) {
	before, after, found := strings.Cut(variable(template), anyModule)
	if !found {
		return template, name == before
	}
	module, ok := strings.CutPrefix(name, before)
	if !ok {
		return "", false
	}
	module, ok = strings.CutSuffix(module, after)
	if !ok || module == "" || strings.Contains(module, "_") {
		return "", false
	}
	return strings.Replace(template, anyModule, strings.ToLower(module), 1), true
}

const prefix = "KERF_"

// set gives the field of a key the value that a file, the environment or a flag has for it, or says what is wrong with the
// value, which it does not repeat. The key exists.
func (c *Config) set(key string, value any) error {
	return assign(reflect.ValueOf(c).Elem(), strings.Split(key, "."), value)
}

func assign(at reflect.Value, path []string, value any) error {
	switch at.Kind() {
	case reflect.Map:
		if at.IsNil() {
			at.Set(reflect.MakeMap(at.Type()))
		}
		name, entry := reflect.ValueOf(path[0]), reflect.New(at.Type().Elem()).Elem()
		if have := at.MapIndex(name); have.IsValid() {
			entry.Set(have)
		}
		if err := assign(entry, path[1:], value); err != nil {
			return err
		}
		at.SetMapIndex(name, entry)
		return nil
	case reflect.Struct:
		return assign(fieldNamed(at, path[0]), path[1:], value)
	default:
		return parse(at.Addr().Interface(), value)
	}
}

// fieldNamed gives the field with that name in keys, or none.
func fieldNamed(section reflect.Value, name string) reflect.Value {
	for i := range section.NumField() {
		have, squashed := tag(section.Type().Field(i))
		if have == name {
			return section.Field(i)
		}
		if squashed {
			if found := fieldNamed(section.Field(i), name); found.IsValid() {
				return found
			}
		}
	}
	return reflect.Value{}
}

// parse sets what field points to.
func parse(field, value any) error {
	switch field := field.(type) {
	case *string:
		switch value.(type) {
		case string, int, float64:
			*field = fmt.Sprint(value)
			return nil
		}
		return errors.New("is not a text")
	case *bool:
		return setParsed(field, value, strconv.ParseBool, "is not true or false")
	case *int:
		return setParsed(field, value, strconv.Atoi, "is not a whole number")
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
		panic(fmt.Sprintf("config: no rule for a field of type %T", field))
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
