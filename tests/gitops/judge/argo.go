package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"

	jsonpatch "github.com/evanphx/json-patch/v5"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/yaml"
)

// What a health.lua says.
type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// What one action would do to an object, as a JSON merge patch; nothing where it is disabled.
type action struct {
	Disabled bool           `json:"disabled"`
	Patch    map[string]any `json:"patch,omitempty"`
}

// The form of `resource.customizations.actions.<group>_<kind>`.
type actions struct {
	Discovery   string `json:"discovery.lua"`
	Definitions []struct {
		Name   string `json:"name"`
		Action string `json:"action.lua"`
	} `json:"definitions"`
}

// The scripts of an argocd-cm, by `<group>_<kind>`, run as Argo CD runs them: gopher-lua with base, table, package and, on
// request, two functions of os; one second. Source: argo-cd util/lua/lua.go and oslib_safe.go, gitops-engine pkg/health/health.go.
type argo struct {
	healths map[string]string
	acts    map[string]actions
}

const customizations = "resource.customizations."

func newArgo(file string) (*argo, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	argo := &argo{healths: map[string]string{}, acts: map[string]actions{}}
	for key, value := range config.Data {
		if kind, found := strings.CutPrefix(key, customizations+"health."); found {
			argo.healths[kind] = value
		} else if kind, found := strings.CutPrefix(key, customizations+"actions."); found {
			var read actions
			if err := yaml.UnmarshalStrict([]byte(value), &read); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			argo.acts[kind] = read
		} else {
			return nil, fmt.Errorf("%s: Argo CD does not know this key", key)
		}
	}
	return argo, nil
}

func keyOf(object *unstructured.Unstructured) string {
	kind := object.GroupVersionKind()
	return kind.Group + "_" + kind.Kind
}

// Nothing where Argo CD has no opinion; such an object counts as healthy for the application.
func (argo *argo) health(object *unstructured.Unstructured) (*health, error) {
	if object.GetDeletionTimestamp() != nil {
		return &health{Status: "Progressing", Message: "Pending deletion"}, nil
	}
	script, found := argo.healths[keyOf(object)]
	if !found {
		return nil, nil
	}
	told := &health{}
	if err := runInto(script, object, told); err != nil {
		return nil, err
	}
	switch told.Status {
	case "Progressing", "Suspended", "Healthy", "Degraded":
		return told, nil
	}
	return nil, fmt.Errorf("%q is no health status", told.Status)
}

func (argo *argo) actions(object *unstructured.Unstructured) (map[string]action, error) {
	told := map[string]action{}
	own, found := argo.acts[keyOf(object)]
	if !found {
		return told, nil
	}
	if err := runInto(own.Discovery, object, &told); err != nil {
		return nil, err
	}
	if len(told) != len(own.Definitions) {
		return nil, fmt.Errorf("%d actions are found and %d defined", len(told), len(own.Definitions))
	}
	for _, definition := range own.Definitions {
		found, offered := told[definition.Name]
		if !offered {
			return nil, fmt.Errorf("the action %s is defined and never found", definition.Name)
		}
		if found.Disabled {
			continue
		}
		patch, err := patchOf(definition.Action, object)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", definition.Name, err)
		}
		found.Patch = patch
		told[definition.Name] = found
	}
	return told, nil
}

func patchOf(script string, object *unstructured.Unstructured) (map[string]any, error) {
	var changed map[string]any
	if err := runInto(script, object, &changed); err != nil {
		return nil, err
	}
	before, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(withEmptyMaps(changed, object.Object))
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	if err != nil {
		return nil, err
	}
	var read map[string]any
	return read, json.Unmarshal(patch, &read)
}

// Lua does not tell an empty list from an empty map, nor does Argo CD's encoder: what was a map stays one.
func withEmptyMaps(after, before any) any {
	switch before := before.(type) {
	case map[string]any:
		if list, isList := after.([]any); isList && len(list) == 0 {
			return before
		}
		if after, isMap := after.(map[string]any); isMap {
			for key, value := range after {
				after[key] = withEmptyMaps(value, before[key])
			}
		}
	case []any:
		if after, isList := after.([]any); isList {
			for at := range min(len(after), len(before)) {
				after[at] = withEmptyMaps(after[at], before[at])
			}
		}
	}
	return after
}

func runInto(script string, object *unstructured.Unstructured, into any) error {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return err
		}
	}
	state.PreloadModule(lua.OsLibName, safeOs)
	within, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(within)
	state.SetGlobal("obj", toLua(state, object.Object))
	if err := state.DoString(script); err != nil {
		return err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return fmt.Errorf("a table is expected, not %s", returned.Type())
	}
	text, err := luajson.Encode(returned)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Only `time` and `date`, and `date` with the few letters that Argo CD's own knows.
func safeOs(state *lua.LState) int {
	date := func(state *lua.LState) int {
		format, isUtc := strings.CutPrefix(state.CheckString(1), "!")
		now := time.Now()
		if isUtc {
			now = now.UTC()
		}
		for letter, layout := range map[string]string{"%Y": "2006", "%m": "01", "%d": "02", "%H": "15", "%M": "04", "%S": "05", "%X": "15:04:05"} {
			format = strings.ReplaceAll(format, letter, now.Format(layout))
		}
		state.Push(lua.LString(format))
		return 1
	}
	now := func(state *lua.LState) int {
		state.Push(lua.LNumber(time.Now().Unix()))
		return 1
	}
	state.Push(state.SetFuncs(state.NewTable(), map[string]lua.LGFunction{"date": date, "time": now}))
	return 1
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		list := state.CreateTable(len(value), 0)
		for _, item := range value {
			list.Append(toLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(value))
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	}
	return lua.LNil
}
