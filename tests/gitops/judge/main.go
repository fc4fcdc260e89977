// Judges objects as the tools that users have judge them: kstatus, Flux with its health checks, Argo CD with health and actions.
//
//	judge ARGOCD_CM FLUX_KUSTOMIZATION FILE...
//
// Prints one line of JSON for each object of the files, in their order. Each judge is the tool's own code, or the library that
// the tool runs: nothing here knows what an offboarding is.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// What the tools make of one object.
type verdict struct {
	File    string            `json:"file"`
	Object  map[string]any    `json:"object"`
	Kstatus string            `json:"kstatus"`
	Flux    string            `json:"flux"`
	Argo    *health           `json:"argo"`
	Actions map[string]action `json:"actions"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: judge ARGOCD_CM FLUX_KUSTOMIZATION FILE...")
	}
	argo, err := newArgo(args[0])
	if err != nil {
		return err
	}
	flux, err := newFlux(args[1])
	if err != nil {
		return err
	}
	lines := json.NewEncoder(os.Stdout)
	for _, file := range args[2:] {
		objects, err := objectsOf(file)
		if err != nil {
			return err
		}
		for _, object := range objects {
			told, err := judge(argo, flux, object)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", file, object.GetName(), err)
			}
			told.File = file
			if err := lines.Encode(told); err != nil {
				return err
			}
		}
	}
	return nil
}

func judge(argo *argo, flux *flux, object *unstructured.Unstructured) (verdict, error) {
	computed, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	told := verdict{Object: object.Object, Kstatus: computed.Status.String()}
	if told.Flux, err = flux.status(object); err != nil {
		return verdict{}, err
	}
	if told.Argo, err = argo.health(object); err != nil {
		return verdict{}, err
	}
	told.Actions, err = argo.actions(object)
	return told, err
}

// Whole numbers stay whole: what the tools read from the API server is decoded the same way.
func objectsOf(file string) ([]*unstructured.Unstructured, error) {
	reader, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	decoder := yaml.NewYAMLOrJSONDecoder(reader, 4096)
	var objects []*unstructured.Unstructured
	for {
		object := &unstructured.Unstructured{}
		switch err := decoder.Decode(object); {
		case errors.Is(err, io.EOF):
			return objects, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", file, err)
		case len(object.Object) > 0:
			objects = append(objects, object)
		}
	}
}
