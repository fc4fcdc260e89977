package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	kustomization "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// The health checks of a Kustomization, by Flux's own evaluator; the kinds that it does not name are left to Flux's kstatus.
type flux struct {
	checks map[schema.GroupVersionKind]*cel.StatusEvaluator
}

func newFlux(file string) (*flux, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var object kustomization.Kustomization
	if err := yaml.UnmarshalStrict(text, &object); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(object.Spec.HealthCheckExprs) == 0 {
		return nil, fmt.Errorf("%s: %w", file, errors.New("it has no healthCheckExprs"))
	}
	checks := map[schema.GroupVersionKind]*cel.StatusEvaluator{}
	for _, check := range object.Spec.HealthCheckExprs {
		kind := schema.FromAPIVersionAndKind(check.APIVersion, check.Kind)
		if checks[kind], err = cel.NewStatusEvaluator(&check.HealthCheckExpressions); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
	}
	return &flux{checks}, nil
}

func (flux *flux) status(object *unstructured.Unstructured) (string, error) {
	judge := func() (*status.Result, error) { return status.Compute(object) }
	if check, found := flux.checks[object.GroupVersionKind()]; found {
		judge = func() (*status.Result, error) { return check.Evaluate(context.Background(), object) }
	}
	result, err := judge()
	if err != nil {
		return "", err
	}
	return result.Status.String(), nil
}
