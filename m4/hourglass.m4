# HG_FLAGS(VARIABLE, FLAGS...): appends to VARIABLE each flag that the compiler takes without a word.
AC_DEFUN([HG_FLAGS], [
AC_LANG_ASSERT([C])
for hg_flag in $2; do
    AC_MSG_CHECKING([whether $CC takes $hg_flag])
    hg_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $hg_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
        [AC_MSG_RESULT([yes])
         $1="$$1 $hg_flag"],
        [AC_MSG_RESULT([no])])
    CFLAGS=$hg_saved_CFLAGS
done
AC_SUBST([$1])
])

# HG_MISSING(WHAT, DEBIAN PACKAGE): stops and says what to install.
AC_DEFUN([HG_MISSING], [AC_MSG_ERROR([$1 is missing; on Debian: apt-get install $2])])

# HG_MODULE(VARIABLE, PKG-CONFIG MODULE, DEBIAN PACKAGE)
AC_DEFUN([HG_MODULE], [PKG_CHECK_MODULES([$1], [$2], [], [HG_MISSING([$2], [$3])])])

# HG_BLIS: BLIS_CFLAGS and BLIS_LIBS. Debian keeps its flavours of BLIS in directories of their own and points at one of
# them with links that an administrator may move, so the OpenMP flavour's own directory is tried before the links.
AC_DEFUN([HG_BLIS], [
AC_ARG_VAR([BLIS_CFLAGS], [compiler flags to find blis.h])
AC_ARG_VAR([BLIS_LIBS], [linker flags to find BLIS])
AC_MSG_CHECKING([for BLIS])
hg_multiarch=`$CC -print-multiarch 2>/dev/null`
hg_directory=$hg_multiarch/blis-openmp
hg_found=no
hg_saved_CFLAGS=$CFLAGS
hg_saved_LIBS=$LIBS
HG_TRY_BLIS([$BLIS_CFLAGS], [$BLIS_LIBS])
if test -n "$hg_multiarch"; then
    HG_TRY_BLIS([-isystem /usr/include/$hg_directory], [-L/usr/lib/$hg_directory -lblis])
fi
HG_TRY_BLIS([], [-lblis])
CFLAGS=$hg_saved_CFLAGS
LIBS=$hg_saved_LIBS
AC_MSG_RESULT([$hg_found])
if test "$hg_found" = no; then
    HG_MISSING([BLIS (blis.h and libblis)], [libblis-openmp-dev])
fi
])

AC_DEFUN([HG_TRY_BLIS], [
if test "$hg_found" = no && test -n "$2"; then
    CFLAGS="$hg_saved_CFLAGS $1"
    LIBS="$2 -lm $hg_saved_LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <blis.h>]],
        [[rntm_t runtime = BLIS_RNTM_INITIALIZER;
          double   x[1] = { 1 };
          bli_rntm_disable_l3_sup(&runtime);
          bli_dgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, 1, 1, 1, x, x, 1, 1, x, 1, 1, x, x, 1, 1, NULL, &runtime);]])],
        [BLIS_CFLAGS="$1"
         BLIS_LIBS="$2"
         hg_found="$2"])
fi
])
