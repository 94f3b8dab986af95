# Puts a page of tuff/diagnostics/page together and writes it as a C++ source, at build time:
#   cmake -D FOLDER=<page> -D PAGE=<name>.html -D PARTS=<styles and scripts, by comma> -D SYMBOL=<name in C++>
#         -D OUTPUT=<file> -P embed_page.cmake
file(READ "${FOLDER}/${PAGE}" page)
set(style "")
set(script "")
string(REPLACE "," ";" names "${PARTS}")
foreach(name IN LISTS names)
  file(READ "${FOLDER}/${name}" text)
  if(name MATCHES "\\.css$")
    string(APPEND style "${text}")
  else()
    string(APPEND script "${text}")
  endif()
endforeach()
string(REPLACE "{{style}}" "${style}" page "${page}")
string(REPLACE "{{script}}" "${script}" page "${page}")
file(WRITE "${OUTPUT}.new" "#include \"tuff/diagnostics/page.h\"

TUFF_NAMESPACE_BEGIN
const std::string_view ${SYMBOL} = R\"tuff_page(${page})tuff_page\";
TUFF_NAMESPACE_END
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
