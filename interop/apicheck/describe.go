// Package apicheck compares the exported API of two Go packages from their types, as the compiler sees them.
//
// A package becomes a set of lines, one for each fact that a program using it can depend on: an identifier and its kind, a
// signature, a struct field with its tag, a constant's type and value, a method of a type and of its pointer, the methods
// of an interface, whether a type can be compared. Two packages agree if the lines of the one are among those of the other.
// Names of parameters are no facts; neither are unexported fields.
package apicheck

import (
	"fmt"
	"go/constant"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// API is what a package exports.
type API struct {
	// Facts has one line per fact.
	Facts map[string]bool
	// Fields lists the exported fields of each exported struct type in their order, which JSON and TOML show.
	Fields map[string][]string
}

// Describe returns the API of a package. rename maps the paths of packages to how the lines call them; other packages are
// called by their full path.
func Describe(pkg *types.Package, rename map[string]string) API {
	d := &describer{rename: rename, api: API{Facts: map[string]bool{}, Fields: map[string][]string{}}}
	scope := pkg.Scope()
	for _, name := range scope.Names() {
		if obj := scope.Lookup(name); obj.Exported() {
			d.object(obj)
		}
	}
	return d.api
}

// Difference is what API b lacks of a, and what it has beyond it.
type Difference struct {
	Missing, Added []string
}

// Compare returns what got lost and what was added from a to b. A change of a fact is both.
func Compare(a, b API) Difference {
	var d Difference
	for fact := range a.Facts {
		if !b.Facts[fact] {
			d.Missing = append(d.Missing, fact)
		}
	}
	for fact := range b.Facts {
		if !a.Facts[fact] {
			d.Added = append(d.Added, fact)
		}
	}
	for name, fields := range a.Fields {
		if !inOrder(fields, b.Fields[name]) {
			d.Missing = append(d.Missing, fmt.Sprintf("order of fields in %s: %s", name, strings.Join(fields, ", ")))
		}
	}
	slices.Sort(d.Missing)
	slices.Sort(d.Added)
	return d
}

// inOrder tells whether those of want that got has at all come in the same order there.
func inOrder(want, got []string) bool {
	last := -1
	for _, f := range want {
		i := slices.Index(got, f)
		if i < 0 {
			continue // a lost field is reported as such
		}
		if i < last {
			return false
		}
		last = i
	}
	return true
}

type describer struct {
	rename map[string]string
	api    API
}

func (d *describer) fact(format string, args ...any) {
	d.api.Facts[fmt.Sprintf(format, args...)] = true
}

func (d *describer) object(obj types.Object) {
	switch o := obj.(type) {
	case *types.Const:
		d.fact("const %s %s = %s", o.Name(), d.typ(o.Type()), exact(o.Val()))
	case *types.Var:
		d.fact("var %s %s", o.Name(), d.typ(o.Type()))
	case *types.Func:
		d.fact("func %s%s", o.Name(), d.signature(o.Signature()))
	case *types.TypeName:
		d.typeName(o)
	}
}

func exact(v constant.Value) string { return v.ExactString() }

func (d *describer) typeName(o *types.TypeName) {
	name := o.Name()
	if o.IsAlias() {
		d.fact("type %s = %s", name, d.typ(types.Unalias(o.Type())))
		return
	}
	switch u := o.Type().Underlying().(type) {
	case *types.Struct:
		d.fact("type %s struct", name)
		d.fields(name, u)
	case *types.Interface:
		d.fact("type %s interface", name)
		d.fact("type %s interface, sealed: %v", name, sealed(u))
	default:
		d.fact("type %s %s", name, d.typ(u))
	}
	if types.Comparable(o.Type()) {
		d.fact("type %s is comparable", name)
	}
	d.methods("", name, o.Type())
	if !types.IsInterface(o.Type()) {
		d.methods("*", name, types.NewPointer(o.Type()))
	}
}

// sealed tells whether an interface has methods that other packages cannot implement.
func sealed(i *types.Interface) bool {
	for m := range i.Methods() {
		if !m.Exported() {
			return true
		}
	}
	return false
}

func (d *describer) fields(name string, s *types.Struct) {
	for i := range s.NumFields() {
		f := s.Field(i)
		if !f.Exported() {
			continue
		}
		embedded := ""
		if f.Embedded() {
			embedded = "embedded "
		}
		d.fact("type %s struct, %sfield %s %s `%s`", name, embedded, f.Name(), d.typ(f.Type()), s.Tag(i))
		d.api.Fields[name] = append(d.api.Fields[name], f.Name())
	}
}

// methods describes the method set of a type, promoted methods included.
func (d *describer) methods(star, name string, t types.Type) {
	set := types.NewMethodSet(t)
	for i := range set.Len() {
		f := set.At(i).Obj().(*types.Func)
		if f.Exported() {
			d.fact("method (%s%s) %s%s", star, name, f.Name(), d.signature(f.Signature()))
		}
	}
}

// signature prints a signature without the names of parameters and results.
func (d *describer) signature(s *types.Signature) string {
	var b strings.Builder
	b.WriteByte('(')
	params := s.Params()
	for i := range params.Len() {
		if i > 0 {
			b.WriteString(", ")
		}
		t := params.At(i).Type()
		if s.Variadic() && i == params.Len()-1 {
			b.WriteString("..." + d.typ(t.(*types.Slice).Elem()))
			continue
		}
		b.WriteString(d.typ(t))
	}
	b.WriteByte(')')
	var results []string
	for i := range s.Results().Len() {
		results = append(results, d.typ(s.Results().At(i).Type()))
	}
	switch len(results) {
	case 0:
	case 1:
		b.WriteString(" " + results[0])
	default:
		b.WriteString(" (" + strings.Join(results, ", ") + ")")
	}
	return b.String()
}

// typ prints a type with the packages' agreed names. An unexported type is printed with what is beneath it, since that is
// all a program can make use of.
func (d *describer) typ(t types.Type) string {
	switch t := t.(type) {
	case *types.Pointer:
		return "*" + d.typ(t.Elem())
	case *types.Slice:
		return "[]" + d.typ(t.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), d.typ(t.Elem()))
	case *types.Map:
		return "map[" + d.typ(t.Key()) + "]" + d.typ(t.Elem())
	case *types.Chan:
		return map[types.ChanDir]string{types.SendRecv: "chan ", types.SendOnly: "chan<- ", types.RecvOnly: "<-chan "}[t.Dir()] + d.typ(t.Elem())
	case *types.Signature:
		return "func" + d.signature(t)
	case *types.Struct:
		return d.structType(t)
	case *types.Alias:
		return d.typ(types.Unalias(t))
	case *types.Named:
		if o := t.Obj(); o.Pkg() != nil && !o.Exported() {
			return d.qualifier(o.Pkg()) + "." + o.Name() + "{" + types.TypeString(t.Underlying(), d.qualifier) + "}"
		}
	}
	return types.TypeString(t, d.qualifier)
}

func (d *describer) structType(s *types.Struct) string {
	var fields []string
	for i := range s.NumFields() {
		fields = append(fields, fmt.Sprintf("%s %s `%s`", s.Field(i).Name(), d.typ(s.Field(i).Type()), s.Tag(i)))
	}
	return "struct{" + strings.Join(fields, "; ") + "}"
}

func (d *describer) qualifier(p *types.Package) string {
	if name, ok := d.rename[p.Path()]; ok {
		return name
	}
	return p.Path()
}

// Lines returns the facts in order.
func (a API) Lines() []string { return slices.Sorted(maps.Keys(a.Facts)) }
