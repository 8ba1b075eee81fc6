//! Walks the parameters of a module whose type is not known.
//!
//! Burn's visitors and mappers have methods that are generic over the rank, so a `dyn` trait cannot have
//! them. Each parameter crosses as [`Any`] and gets its rank back on the other side.

use std::any::Any;

use burn::module::{Flag, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Bool, Int, Tensor};

/// A [`ModuleVisitor`] without generic methods.
pub(crate) trait AnyVisitor {
    fn enter(&mut self, name: &str, container: &str);
    fn exit(&mut self, name: &str, container: &str);
    /// Takes a `Param` of any rank and kind.
    fn visit(&mut self, param: &dyn Any);
}

/// A [`ModuleMapper`] without generic methods.
pub(crate) trait AnyMapper {
    fn enter(&mut self, name: &str, container: &str);
    fn exit(&mut self, name: &str, container: &str);
    /// Takes a `Param` of any rank and kind, and gives one of the same.
    fn map(&mut self, param: Box<dyn Any>) -> Box<dyn Any>;
}

/// From a typed walk to an untyped one.
pub(crate) struct Erase<'a, T: ?Sized>(pub &'a mut T);

/// From an untyped walk back to a typed one.
pub(crate) struct Restore<'a, T>(pub &'a mut T);

impl ModuleVisitor for Erase<'_, dyn AnyVisitor + '_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit(name, container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.visit(param);
    }

    fn visit_int<const D: usize>(&mut self, param: &Param<Tensor<D, Int>>) {
        self.0.visit(param);
    }

    fn visit_bool<const D: usize>(&mut self, param: &Param<Tensor<D, Bool>>) {
        self.0.visit(param);
    }

    fn visit_flag(&mut self, param: &Param<Flag>) {
        self.0.visit(param);
    }
}

impl Erase<'_, dyn AnyMapper + '_> {
    fn pass<P: 'static>(&mut self, param: P) -> P {
        *self.0.map(Box::new(param)).downcast().expect("a mapper keeps rank and kind")
    }
}

impl ModuleMapper for Erase<'_, dyn AnyMapper + '_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.0.enter(name, container);
    }

    fn exit_module(&mut self, name: &str, container: &str) {
        self.0.exit(name, container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.pass(param)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        self.pass(param)
    }

    fn map_bool<const D: usize>(&mut self, param: Param<Tensor<D, Bool>>) -> Param<Tensor<D, Bool>> {
        self.pass(param)
    }

    fn map_flag(&mut self, param: Param<Flag>) -> Param<Flag> {
        self.pass(param)
    }
}

/// Runs `$call!(type, method)` for every type that a parameter can have, up to rank eight.
macro_rules! for_each_type {
    ($call:ident, $float:ident, $int:ident, $bool:ident) => {
        for_each_type!(@ranks $call, $float, $int, $bool, 1 2 3 4 5 6 7 8)
    };
    (@ranks $call:ident, $float:ident, $int:ident, $bool:ident, $($rank:literal)*) => {
        $(
            $call!(Param<Tensor<$rank>>, $float);
            $call!(Param<Tensor<$rank, Int>>, $int);
            $call!(Param<Tensor<$rank, Bool>>, $bool);
        )*
    };
}

impl<V: ModuleVisitor> AnyVisitor for Restore<'_, V> {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }

    fn visit(&mut self, param: &dyn Any) {
        macro_rules! attempt {
            ($type:ty, $method:ident) => {
                if let Some(param) = param.downcast_ref::<$type>() {
                    return self.0.$method(param);
                }
            };
        }
        for_each_type!(attempt, visit_float, visit_int, visit_bool);
        attempt!(Param<Flag>, visit_flag);
        panic!("a parameter of an encoder has more than eight dimensions")
    }
}

impl<M: ModuleMapper> AnyMapper for Restore<'_, M> {
    fn enter(&mut self, name: &str, container: &str) {
        self.0.enter_module(name, container);
    }

    fn exit(&mut self, name: &str, container: &str) {
        self.0.exit_module(name, container);
    }

    fn map(&mut self, param: Box<dyn Any>) -> Box<dyn Any> {
        macro_rules! attempt {
            ($type:ty, $method:ident) => {
                if param.is::<$type>() {
                    let param = param.downcast::<$type>().expect("just checked");
                    return Box::new(self.0.$method(*param));
                }
            };
        }
        for_each_type!(attempt, map_float, map_int, map_bool);
        attempt!(Param<Flag>, map_flag);
        panic!("a parameter of an encoder has more than eight dimensions")
    }
}
