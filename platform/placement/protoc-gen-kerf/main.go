// Command protoc-gen-kerf generates, for each service of a contract, its Go interface and the glue that places it: in this
// process, over a forced wire, or in another process. It also writes docs/catalogue.md, the list of all operations and events.
//
// It holds contracts to what Kerf needs of them: calls are unary; an operation is a query if it has the option
// idempotency_level = NO_SIDE_EFFECTS, and otherwise a command, whose request has a string operation_key and whose comment
// states a postcondition.
package main

import (
	"flag"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	var flags flag.FlagSet
	catalogue := flags.String("catalogue", "", "file to write the catalogue of operations and events to; none if empty")
	protogen.Options{ParamFunc: flags.Set}.Run(func(p *protogen.Plugin) error {
		p.SupportedFeatures = uint64(pluginpb.CodeGeneratorResponse_FEATURE_PROTO3_OPTIONAL)
		return generate(p, *catalogue)
	})
}

// generate writes the glue of every file that has a service, and the catalogue of all files.
func generate(p *protogen.Plugin, catalogue string) error {
	for _, file := range p.Files {
		if !file.Generate || len(file.Services) == 0 {
			continue
		}
		for _, service := range file.Services {
			if err := check(service); err != nil {
				return err
			}
		}
		writeGlue(p, file)
	}
	if catalogue != "" {
		writeCatalogue(p, catalogue)
	}
	return nil
}
